// Views that were saved under a name, in this browser.

import { remembered } from "./memory.js";

/** @type {import("../lib.js").Signal<{name: string, query: string}[]>} By name; `query` as in an address. */
export const savedViews = remembered("views", []);

/** Save a view; one of the same name is replaced. @param {string} name @param {string} query As in an address. */
export function saveView(name, query) {
  put(name, { name, query });
}

/** Give a view another name; one that has it already is replaced. */
export function renameView(name, next) {
  const found = savedViews.value.find((one) => one.name === name);
  if (found) put(name, { ...found, name: next });
}

/** Forget a view. */
export function dropView(name) {
  savedViews.value = savedViews.value.filter((one) => one.name !== name);
}

function put(before, view) {
  const rest = savedViews.value.filter((one) => one.name !== before && one.name !== view.name);
  savedViews.value = [...rest, view].sort((one, other) => one.name.localeCompare(other.name));
}
