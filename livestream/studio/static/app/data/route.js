// Which page of the app is open: the part of the address below the Studio's root. Moving about loads nothing anew.

import { batch, signal } from "../lib.js";
import { ROOT } from "./api.js";
import { readAddress, settleAddress } from "./view.js";

/** Pages that the app draws; any other address of the Studio is a page that the server makes. */
const OURS = /^(|compare|projects|settings|experiments\/\d+)$/;

/** @type {import("../lib.js").Signal<{path: string, query: string}>} `path` without the root: "" is the table. */
export const route = signal(here());

/** Where the table was left, so that the way back leads to the same view of it. */
export const tableQuery = signal(route.value.path === "" ? location.search : "");

/**
 * Go to a page of the app.
 *
 * @param {string} path For example "experiments/12" or "compare?id=1&id=2".
 */
export function go(path) {
  const url = new URL(path, ROOT);
  leave();
  history.pushState(null, "", url);
  arrive();
  scrollTo(0, 0);
}

/** Begin to take clicks on links to pages of the app, and "back". */
export function startRouter() {
  addEventListener("popstate", arrive);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== ROOT.origin || !url.pathname.startsWith(ROOT.pathname) || url.hash) return;
    const path = url.pathname.slice(ROOT.pathname.length);
    if (!OURS.test(path)) return;
    event.preventDefault();
    go(path + (path === "" && !url.search ? tableQuery.value : url.search));
  });
}

function leave() {
  settleAddress();
  if (route.value.path === "") tableQuery.value = location.search;
}

/** Page and view change as one: nobody sees the view of one page with the path of another. */
function arrive() {
  batch(() => {
    readAddress();
    route.value = here();
  });
}

function here() {
  return { path: location.pathname.slice(ROOT.pathname.length), query: location.search };
}
