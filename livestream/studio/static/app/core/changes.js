// A change of the feed applied to a row: a new row, and which of its cells are others now.

import { cellsOf, keyOf } from "./cells.js";

const WATCHED = ["name", "status", "step", "message", "delivery"];

/**
 * @param {object} experiment As the API tells it.
 * @returns {object} A row: the same with `cells` instead of metrics and params.
 */
export function rowOf(experiment) {
  const { metrics, params, ...row } = experiment;
  row.cells = cellsOf({ metrics, params, machine: experiment.machine });
  return row;
}

/**
 * @param {object} row
 * @param {[string, *][]} entries Keys and values.
 * @returns {object} The row with these cells; the same one where it has them.
 */
export function withCells(row, entries) {
  if (entries.every(([key, value]) => row.cells.get(key) === value)) return row;
  return { ...row, cells: new Map([...row.cells, ...entries]) };
}

/** Whether a change holds what it changed: one that was read back from the log does not. */
export function tellsAll(change) {
  return change.kind === "data" && Boolean(change.metrics || change.params || change.step !== undefined || change.plots);
}

/** Whether a path of a change is an image or a plot kept whole; tables of metrics are series. */
export function isFile(path) {
  return !path.endsWith(".tsv");
}

/**
 * @param {object} row
 * @param {object} change Of kind "data"; its leaves are those that changed.
 * @returns {{row: object, keys: string[]}} `keys`: cells that have another value than before.
 */
export function withChange(row, change) {
  const cells = new Map(row.cells);
  const keys = [];
  for (const group of ["metrics", "params"]) {
    for (const [file, content] of Object.entries(change[group] ?? {})) putLeaves(cells, keys, group, file, content, []);
  }
  const step = change.step ?? row.step;
  if (step !== row.step) keys.push("step");
  return { row: { ...row, cells, step, updated: Math.max(row.updated, change.time) }, keys };
}

/** @returns {string[]} Keys of cells and facts that differ between two rows of one experiment. */
export function differences(before, after) {
  const keys = WATCHED.filter((fact) => shown(before, fact) !== shown(after, fact));
  for (const [key, value] of after.cells) {
    if (before.cells.get(key) !== value) keys.push(key);
  }
  return keys;
}

/** What of a fact a person would see change; a status's reason counts the seconds. */
function shown(row, fact) {
  if (fact === "status") return row.status.kind;
  if (fact === "delivery") return row.delivery.missing_events;
  return row[fact];
}

function putLeaves(cells, keys, group, file, content, names) {
  for (const [name, value] of Object.entries(content)) {
    const path = [...names, name];
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      putLeaves(cells, keys, group, file, value, path);
      continue;
    }
    const key = keyOf(group, file, path);
    const held = Array.isArray(value) ? JSON.stringify(value) : value;
    if (cells.get(key) === held) continue;
    keys.push(key);
    if (held === null) cells.delete(key);
    else cells.set(key, held);
  }
}
