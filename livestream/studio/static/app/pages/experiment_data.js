// Everything about one experiment, live: read once, and again what a change of it may have changed.
//
// Changes come up to four times a second; each part is read again at most once in its own pause, however many come.

import { tellsAll } from "../core/changes.js";
import { LIVE } from "../core/statuses.js";
import { signal, useEffect, useMemo } from "../lib.js";
import { get } from "../data/api.js";
import { onChange, onReset } from "../data/feed.js";
import { makePaced } from "./paced.js";

const PAUSES_MS = { experiment: 400, log: 1_000, series: 1_500, files: 2_500 };
/** A status is judged by the clock too, and its reason counts the seconds. */
const JUDGE_MS = 10_000;
const LOG_LINES = 1_000;

/**
 * @typedef {object} Watched Signals of one experiment.
 * @property {import("../lib.js").Signal<{phase: "loading"|"ready"|"missing"|"failed", error: string}>} state
 * @property {import("../lib.js").Signal<object|null>} experiment As `GET /api/experiments/{id}` tells it.
 * @property {import("../lib.js").Signal<object[]|null>} series
 * @property {import("../lib.js").Signal<object[]|null>} log Oldest first.
 * @property {import("../lib.js").Signal<object[]|null>} files
 * @property {() => void} reload Read all of it anew.
 */

/**
 * @param {number} id
 * @returns {Watched} The same object for as long as the id is the same.
 */
export function useExperiment(id) {
  const watched = useMemo(() => makeWatched(id), [id]);
  useEffect(() => watched.start(), [watched]);
  return watched;
}

function makeWatched(id) {
  const state = signal({ phase: "loading", error: "" });
  const parts = { experiment: signal(null), series: signal(null), log: signal(null), files: signal(null) };
  const asking = {
    experiment: () => get(`api/experiments/${id}`),
    series: async () => (await get(`api/experiments/${id}/series`)).series,
    log: async () => (await get(`api/experiments/${id}/log`, { limit: LOG_LINES })).log,
    files: async () => (await get("api/files", { experiment: id })).files,
  };
  const paced = makePaced();

  async function read(part) {
    try {
      parts[part].value = await asking[part]();
      if (part === "experiment") state.value = { phase: "ready", error: "" };
    } catch (error) {
      if (part === "experiment") state.value = failureOf(error, parts.experiment.value !== null);
      else parts[part].value ??= [];
    }
  }
  const names = Object.keys(parts);
  const reading = new Map(names.map((part) => [part, () => read(part)]));
  const reload = () => reading.forEach((readOne) => readOne());
  const soon = (part) => paced.soon(reading.get(part), PAUSES_MS[part]);

  function start() {
    reload();
    const stops = [
      onChange((change) => {
        if (change.experiment === id) partsOfChange(change, names).forEach(soon);
      }),
      onReset(reload),
    ];
    const clock = setInterval(() => {
      if (!document.hidden && LIVE.has(parts.experiment.value?.status.kind)) soon("experiment");
    }, JUDGE_MS);
    return () => {
      stops.forEach((stop) => stop());
      clearInterval(clock);
      paced.stop();
    };
  }
  return { state, ...parts, reload, start };
}

/** What a change may have changed. */
function partsOfChange(change, all) {
  if (change.kind !== "data") return ["experiment", "log"];
  if (!tellsAll(change)) return all;
  return change.plots?.length ? ["experiment", "series", "files"] : ["experiment"];
}

function failureOf(error, isShown) {
  if (error.status === 404) return { phase: "missing", error: error.message };
  return { phase: isShown ? "ready" : "failed", error: error.message };
}
