// What of the plots is a matter of this browser rather than of the view that is shared.

import { remembered } from "../data/memory.js";

/** Columns of cards; 0: as the width allows. */
export const columns = remembered("plots.columns", 0);
/** Names of metrics whose y is the other way than the settings say: logarithmic where they say linear. */
export const logarithmic = remembered("plots.log", []);
