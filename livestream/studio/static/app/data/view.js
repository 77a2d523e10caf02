// The view of this tab: one signal, kept in the address, and what of it is remembered for the next visit.

import { defaultView, same, viewFromQuery, viewToQuery } from "../core/view.js";
import { signal } from "../lib.js";

/** @type {import("../lib.js").Signal<import("../core/view.js").View>} Replaced as a whole, never changed in place. */
export const view = signal(viewFromQuery(location.search));

const QUIET_MS = 250;
let timer = 0;

/**
 * Change some fields of the view. The address follows: at once and with an entry of the history where `step` is set
 * (a click that "back" should undo), else replaced a moment later (typing, dragging).
 */
export function changeView(fields, { step = false } = {}) {
  const next = { ...view.value, ...fields };
  if (same(next, view.value)) return;
  if (step) settleAddress();
  view.value = next;
  clearTimeout(timer);
  timer = 0;
  if (step) history.pushState(null, "", addressOf(next));
  else timer = setTimeout(settleAddress, QUIET_MS);
}

/** Write now what the address is still to follow: before another entry of the history hides this one. */
export function settleAddress() {
  if (!timer) return;
  clearTimeout(timer);
  timer = 0;
  history.replaceState(null, "", addressOf(view.value));
}

/** Everything but the project as at the first visit. */
export function resetView() {
  changeView({ ...defaultView(), project: view.value.project }, { step: true });
}

/** This page with another view. */
function addressOf(wanted) {
  return location.pathname + viewToQuery(wanted, location.search);
}

/** Read the address anew: after "back", and after the router went elsewhere. */
export function readAddress() {
  clearTimeout(timer);
  timer = 0;
  view.value = viewFromQuery(location.search);
}
