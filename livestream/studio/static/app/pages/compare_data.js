// Some experiments by their ids, live: also deleted ones, and ones that the table has not loaded.

import { rowOf } from "../core/changes.js";
import { signal, useEffect, useMemo } from "../lib.js";
import { get } from "../data/api.js";
import { onChange, onReset } from "../data/feed.js";
import { makePaced } from "./paced.js";

const ROWS_PAUSE_MS = 500;
const FILES_PAUSE_MS = 2_500;
const JUDGE_MS = 10_000;

/**
 * @param {number[]} ids
 * @returns {{rows: import("../lib.js").Signal<object[]|null>, files: import("../lib.js").Signal<object[]>,
 *   error: import("../lib.js").Signal<string>}} `rows`: those that are there, in the order of the ids; null: not read.
 */
export function useRows(ids) {
  const name = ids.join();
  const watched = useMemo(() => makeWatched(ids), [name]);
  useEffect(() => watched.start(), [watched]);
  return watched;
}

/** What was read last, so that adding one to a comparison does not empty the page first. */
let kept = new Map();

function makeWatched(ids) {
  const there = ids.map((id) => kept.get(id)).filter(Boolean);
  const rows = signal(there.length ? there : null);
  const files = signal([]);
  const error = signal("");
  const paced = makePaced();

  async function readRows() {
    try {
      const page = await get("api/experiments", { id: ids, limit: ids.length });
      const found = new Map(page.experiments.map((one) => [one.id, rowOf(one)]));
      const rest = ids.filter((id) => !found.has(id));
      const deleted = rest.length
        ? await get("api/experiments", { id: rest, deleted: true, limit: rest.length })
        : null;
      for (const one of deleted?.experiments ?? []) found.set(one.id, rowOf(one));
      kept = found;
      rows.value = ids.map((id) => found.get(id)).filter(Boolean);
      error.value = "";
    } catch (problem) {
      error.value = problem.message;
      rows.value ??= [];
    }
  }
  async function readFiles() {
    try {
      files.value = (await get("api/files", { experiment: ids })).files;
    } catch {
      // the next change asks again
    }
  }
  function start() {
    if (!ids.length) return undefined;
    readRows();
    readFiles();
    const wanted = new Set(ids);
    const stops = [
      onChange((change) => {
        if (!wanted.has(change.experiment)) return;
        paced.soon(readRows, ROWS_PAUSE_MS);
        if (change.plots?.length) paced.soon(readFiles, FILES_PAUSE_MS);
      }),
      onReset(readRows),
    ];
    const clock = setInterval(() => document.hidden || readRows(), JUDGE_MS);
    return () => {
      stops.forEach((stop) => stop());
      clearInterval(clock);
      paced.stop();
    };
  }
  return { rows, files, error, start };
}
