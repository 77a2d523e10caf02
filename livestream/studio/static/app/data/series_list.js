// Which metrics some runs have, kept up while they log new ones.

import { tellsAll } from "../core/changes.js";
import { signal } from "../lib.js";
import { get } from "./api.js";
import { onChange, onReset } from "./feed.js";

const AGAIN_MS = 2_000;
const RETRY_MS = 4_000;
const MAX_RUNS = 200;

/**
 * @typedef {object} Listed
 * @property {string} name
 * @property {number[]} experiments Ids of the runs that have it.
 * @property {number} count
 * @property {number|null} last_step
 */

/**
 * `key` says of which runs it is.
 * @type {import("../lib.js").Signal<{phase: "loading"|"ready"|"failed", list: Listed[], error: string, key: string}>}
 */
export const seriesList = signal({ phase: "loading", list: [], error: "", key: "" });

let ids = [];
let timer = 0;
let asking = null;

/** Say whose metrics are wanted from now on. */
export function listSeriesOf(experiments) {
  const next = experiments.slice(0, MAX_RUNS);
  if (next.join() === ids.join() && seriesList.value.phase !== "failed") return;
  ids = next;
  load();
}

async function load() {
  clearTimeout(timer);
  timer = 0;
  asking?.abort();
  const key = ids.join();
  if (!ids.length) {
    seriesList.value = { phase: "ready", list: [], error: "", key };
    return;
  }
  asking = new AbortController();
  try {
    const { series } = await get("api/series", { experiment: ids }, { signal: asking.signal });
    const before = seriesList.value;
    if (before.phase === "ready" && before.key === key && isSame(before.list, series)) return;
    seriesList.value = { phase: "ready", list: series, error: "", key };
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!seriesList.value.list.length) seriesList.value = { phase: "failed", list: [], error: error.message, key };
    timer = setTimeout(load, RETRY_MS);
  }
}

/** Whether the same runs have the same metrics: how many rows there are changes all the time and moves no card. */
function isSame(one, other) {
  const text = (list) => JSON.stringify(list.map((series) => [series.name, series.experiments]));
  return text(one) === text(other);
}

/** Plots that were in the news and then in a list: more of the same is no reason to ask. */
const known = new Map();

onChange((change) => {
  if (change.kind !== "data" || !ids.includes(change.experiment) || !isNew(change)) return;
  timer ||= setTimeout(() => (document.hidden ? (timer = 0) : load()), AGAIN_MS);
});

function isNew(change) {
  const { experiment, plots } = change;
  if (!plots) return !tellsAll(change);
  if (!known.has(experiment)) known.set(experiment, new Set());
  const mine = known.get(experiment);
  const count = mine.size;
  for (const path of plots) mine.add(path);
  return mine.size > count;
}

onReset(() => ids.length && load());
document.addEventListener("visibilitychange", () => document.hidden || (ids.length && load()));
