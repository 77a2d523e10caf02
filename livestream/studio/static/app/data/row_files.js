// The images and whole plots that rows have, as cells with their counts. They are read after the rows, some hundred
// experiments at once: the first look at the table does not wait for them.

import { keyOf } from "../core/cells.js";
import { isFile, rowOf, withCells } from "../core/changes.js";
import { get, isPassing } from "./api.js";
import { onChange } from "./feed.js";

const AT_ONCE = 300;
const SOON_MS = 300;
const AGAIN_MS = 5_000;

/** Cells of files by id of the experiment; empty where it has none. */
const known = new Map();
const wanted = new Set();
let timer = 0;
let tellRows = () => {};

/** A row of what the API tells of an experiment, with what is known of its files; where nothing is, it is asked for. */
export function rowWithFiles(experiment) {
  if (!known.has(experiment.id)) want(experiment.id, SOON_MS);
  return withCells(rowOf(experiment), known.get(experiment.id) ?? []);
}

/**
 * Begin to follow images and whole plots that come.
 * @param {(cells: Map<number, [string, number][]>) => void} onCells What became known.
 */
export function watchFiles(onCells) {
  tellRows = onCells;
  onChange(({ experiment, plots }) => {
    if (plots?.some(isFile)) want(experiment, AGAIN_MS);
  });
}

function want(id, waitMs) {
  wanted.add(id);
  timer ||= setTimeout(ask, waitMs);
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
