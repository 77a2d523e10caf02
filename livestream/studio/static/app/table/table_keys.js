// Keys of the table that work wherever the focus is on the page.

import { NAME } from "../core/columns.js";
import { changeView, view } from "../data/view.js";
import { declareKeys, useKeys } from "../parts/index.js";
import { cursor, lines } from "./arranged.js";
import { focusQuery } from "./query_box.js";
import { compare, idAtCursor, open, toggleBaseline, toggleDelta, toggleSelected } from "./selection.js";

declareKeys("Experiments", [
  ["/", "Search and filter"],
  ["j, k", "Next and previous experiment"],
  ["x or Space", "Select it"],
  ["Enter", "Open it"],
  ["c", "Compare the selected ones"],
  ["b", "Make it the baseline"],
  ["d", "Differences to the baseline"],
  ["p", "Table and plots, plots alone, table alone"],
]);

const LAYOUTS = ["both", "plots", "table"];
const BUTTONS = "button, a[href], summary, input, [role=grid]";

/** Draws nothing. */
export function TableKeys() {
  useKeys({
    "/": focusQuery,
    j: () => step(1),
    k: () => step(-1),
    x: () => withCursor(toggleSelected),
    " ": (event) => unlessPressed(event, toggleSelected),
    Enter: (event) => unlessPressed(event, open),
    c: () => compare(view.value.selected),
    b: () => withCursor(toggleBaseline, view.value.selected.length === 1 ? view.value.selected[0] : null),
    d: toggleDelta,
    p: nextLayout,
  });
  return null;
}

function withCursor(act, otherwise = null) {
  const id = idAtCursor() ?? otherwise;
  if (id !== null) act(id);
}

/** Space and Enter belong to the button, link or grid that has the focus. */
function unlessPressed(event, act) {
  const pressed = event.target.closest?.(BUTTONS);
  if (pressed) {
    if (!pressed.matches("[role=grid]")) pressed.click();
    return;
  }
  withCursor(act);
}

/** Go to the next experiment that is in sight, past heads of groups. */
function step(by) {
  const experiments = lines.value.filter((line) => line.type === "experiment");
  if (experiments.length === 0) return;
  const at = experiments.findIndex((line) => line.key === cursor.value?.line);
  const next = at < 0 ? (by > 0 ? 0 : experiments.length - 1) : Math.min(experiments.length - 1, Math.max(0, at + by));
  cursor.value = { column: NAME, level: 0, ...cursor.value, line: experiments[next].key };
}

function nextLayout() {
  const at = LAYOUTS.indexOf(view.value.layout);
  changeView({ layout: LAYOUTS[(at + 1) % LAYOUTS.length] }, { step: true });
}
