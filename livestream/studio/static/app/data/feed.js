// What changes at the Studio, as it happens: one stream a tab, for browsers open six connections to a server in all.
//
// A tab that is hidden closes its stream (a person with thirty tabs must not starve the Studio) and catches up when it
// is looked at again: the stream begins where it ended, by the number of the last change. Where a proxy swallows
// streams, nothing comes within some seconds though the Studio answers: then the same changes are asked for in turns, for
// as long as it answers.

import { signal } from "../lib.js";
import { address, get } from "./api.js";

const HELLO_MS = 8_000;
const POLL_WAIT_S = 25;
const AGAIN_MS = 3_000;
const HIDDEN_MS = 10_000;

/** @type {import("../lib.js").Signal<"connecting"|"live"|"polling"|"lost">} */
export const connection = signal("connecting");

const changeListeners = new Set();
const resetListeners = new Set();
let source = null;
let last = null;
let polling = null;
let timer = 0;
let hiddenTimer = 0;

/** @param {(change: {seq: number, experiment: number, kind: string}) => void} listener */
export function onChange(listener) {
  changeListeners.add(listener);
  return () => changeListeners.delete(listener);
}

/** The log does not reach back: read everything anew. @param {() => void} listener */
export function onReset(listener) {
  resetListeners.add(listener);
  return () => resetListeners.delete(listener);
}

/** Begin after a place in the change log, told by the first answer; later calls change nothing. */
export function follow(change) {
  if (last !== null) return;
  last = change;
  open();
  document.addEventListener("visibilitychange", onVisibility);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
}

function open() {
  close();
  connection.value = "connecting";
  source = new EventSource(address("api/feed", { since: last }));
  source.addEventListener("hello", onHello);
  source.addEventListener("change", onEvent);
  source.addEventListener("reset", onEvent);
  source.addEventListener("error", onError);
  timer = setTimeout(poll, HELLO_MS);
}

function stopTimer() {
  clearTimeout(timer);
  timer = 0;
}

function close() {
  stopTimer();
  source?.close();
  source = null;
  polling?.abort();
  polling = null;
}

function onVisibility() {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN_MS);
  else if (source === null && polling === null) open();
}

function onHello() {
  stopTimer();
  connection.value = "live";
}

function onEvent(event) {
  last = Number(event.lastEventId) || last;
  if (event.type === "reset") tell(resetListeners);
  else tell(changeListeners, JSON.parse(event.data));
}

/** The browser tries again by itself unless it was refused; then the session may be over, which asking tells. */
function onError() {
  connection.value = "lost";
  if (source?.readyState !== EventSource.CLOSED) {
    timer ||= setTimeout(poll, HELLO_MS);
    return;
  }
  openAgain();
  get("api/changes", { since: last, limit: 1 }).catch(() => {});
}

/** Ask for changes in turns, until the Studio does not answer: then a stream is tried first again. */
async function poll() {
  close();
  polling = new AbortController();
  const { signal: stop } = polling;
  while (!stop.aborted) {
    try {
      const answer = await get("api/changes", { since: last, wait_s: POLL_WAIT_S }, { signal: stop });
      connection.value = "polling";
      last = answer.last;
      if (answer.reset) tell(resetListeners);
      for (const change of answer.changes) tell(changeListeners, change);
    } catch (error) {
      if (error.name === "AbortError") return;
      connection.value = "lost";
      openAgain();
    }
  }
}

function openAgain() {
  close();
  timer = setTimeout(() => (document.hidden ? undefined : open()), AGAIN_MS);
}

function tell(listeners, change) {
  for (const listener of listeners) listener(change);
}
