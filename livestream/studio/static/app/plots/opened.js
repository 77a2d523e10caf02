// What of images and whole plots fills the screen: one thing at a time, in the address as the lines' is.

import { changeView, view } from "../data/view.js";

/** @param {"image"|"plot"} kind @returns {string|null} Name of the film, or path of the plot. */
export function openedOf(kind) {
  const { full } = view.value;
  return full.startsWith(`${kind}:`) ? full.slice(kind.length + 1) : null;
}

/** @param {"image"|"plot"} kind */
export function open(kind, name) {
  changeView({ full: `${kind}:${name}` }, { step: true });
}

/** Show the page again. */
export function close() {
  changeView({ full: "" }, { step: true });
}
