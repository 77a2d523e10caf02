// The plots of one experiment, or of some: the pane of the table's page, loaded when it is needed.
//
// The pane draws what the view has selected. Here the page says which those are, so the view is told without a word in
// the address, which holds them already in its own way.

import { same } from "../core/view.js";
import { view } from "../data/view.js";
import { html, useLayoutEffect } from "../lib.js";
import { LaterPlots } from "./later.js";

/** @param {{ids: number[]}} props Of experiments. */
export function PlotsOf({ ids }) {
  const isTold = same(view.value.selected, ids);
  useLayoutEffect(() => {
    if (!isTold) view.value = { ...view.value, selected: ids };
  });
  const bone = html`<div class="bone block tall"></div>`;
  return html`<div class="plots-sheet">
    <h2 class="unseen">Plots</h2>
    ${isTold ? html`<${LaterPlots} wait=${bone} />` : bone}
  </div>`;
}
