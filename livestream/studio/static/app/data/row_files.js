// The images and whole plots that rows have, as cells with their counts. They are read after the rows, some hundred
// experiments at once: the first look at the table does not wait for them.

import { keyOf } from "../core/cells.js";
import { rowOf, withCells } from "../core/changes.js";
import { effect } from "../lib.js";
import { get, isPassing } from "./api.js";
import { onChange } from "./feed.js";

const AT_ONCE = 300;
const SOON_MS = 300;
const AGAIN_MS = 5_000;
const SERIES = /\.tsv$/;

/** Cells of files by id of the experiment; empty where it has none. */
const known = new Map();
const wanted = new Set();
let timer = 0;
let tellRows = () => {};

/** A row of what the API tells of an experiment, with what is known of its files. */
export function rowWithFiles(experiment) {
  return withCells(rowOf(experiment), known.get(experiment.id) ?? []);
}

/**
 * Begin: every row that comes is asked about once, and again when images or whole plots of it come.
 *
 * @param {import("../lib.js").Signal<object[]>} rows
 * @param {(cells: Map<number, [string, number][]>) => void} onCells What became known.
 */
export function watchFiles(rows, onCells) {
  tellRows = onCells;
  effect(() => {
    for (const { id } of rows.value) if (!known.has(id)) wanted.add(id);
    if (wanted.size) timer ||= setTimeout(ask, SOON_MS);
  });
  onChange(({ experiment, plots }) => {
    if (!plots?.some((path) => !SERIES.test(path))) return;
    wanted.add(experiment);
    timer ||= setTimeout(ask, AGAIN_MS);
  });
}

async function ask() {
  const ids = [...wanted].slice(0, AT_ONCE);
  for (const id of ids) wanted.delete(id);
  const cells = new Map(ids.map((id) => [id, []]));
  let isLater = false;
  try {
    const { files } = await get("api/files", { experiment: ids });
    for (const { experiment, path, count } of files) cells.get(experiment)?.push([keyOf("files", path, []), count]);
  } catch (error) {
    isLater = isPassing(error); // else one of them is no more; the others are asked about when they change
  }
  if (isLater) for (const id of ids) wanted.add(id);
  else for (const [id, entries] of cells) known.set(id, entries);
  tellRows(cells);
  timer = wanted.size ? setTimeout(ask, isLater ? AGAIN_MS : SOON_MS) : 0;
}
