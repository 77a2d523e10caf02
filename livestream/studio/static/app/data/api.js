// Asking the Studio. Addresses are made from where this file lies, so that a path prefix of a proxy needs no setting.

/** The Studio's first page; ends in a slash. `static/<version>/app/data/api.js` stands four folders below it. */
export const ROOT = new URL("../../../../", import.meta.url);

/** What went wrong with a request: `status` 0 where no answer came. */
class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Whether what went wrong may pass, so that asking again later makes sense: no answer, or a Studio that is in trouble. */
export function isPassing(error) {
  return !(error instanceof ApiError) || error.status === 0 || error.status === 429 || error.status >= 500;
}

/**
 * @param {string} path For example "api/experiments".
 * @param {Object<string, *>} query Lists are given several times; null and undefined are left out.
 */
export function address(path, query = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) url.searchParams.append(name, String(one));
    }
  }
  return url;
}

/** @returns {Promise<*>} The JSON of a 200. Throws ApiError; who is signed out is sent to sign in. */
export function get(path, query, { signal } = {}) {
  return ask(address(path, query), { signal });
}

/** @param {"POST"|"DELETE"|"PUT"} method */
export function send(method, path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  return ask(address(path), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the Studio does not answer");
  }
  if (answer.status === 401) askToSignIn();
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(answer.status, content.detail ?? answer.statusText);
  return content;
}

// A page asks for several things at once, and all of them get 401: a second change of address would break off the first.
let isLeaving = false;
addEventListener("pageshow", () => (isLeaving = false));
addEventListener("submit", (event) => (isLeaving ||= !event.defaultPrevented)); // who signs out goes elsewhere already

function askToSignIn() {
  if (isLeaving) return;
  isLeaving = true;
  location.assign(address("sign-in", { next: nextOf(location) }));
}

/** This page's own address below the root, for coming back after the sign-in. */
function nextOf(place) {
  return "/" + (place.pathname + place.search).slice(ROOT.pathname.length);
}
