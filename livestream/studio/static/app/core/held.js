// What an experiment holds under a key of the query language: a list, in which null is "no value".
//
// A leaf that names no file is looked for in every file that any experiment has, by the files' names, and the first
// that has it is meant (query.py). Truth is 1 and 0, a list is its JSON text, both as the server compares them.

import { asNumber, keyOf, partsOf } from "./cells.js";
import { compareTexts } from "./query_values.js";

/** @typedef {(row: object) => (number|bigint|string|null)[]} Reader */

const READERS = {
  id: (row) => [row.id],
  name: (row) => [row.name],
  status: (row) => [row.status.kind],
  step: (row) => [row.step],
  created: (row) => [row.created],
  updated: (row) => [row.updated],
  repository: (row) => [row.repository],
  baseline: (row) => [row.baseline_sha],
  message: (row) => [row.message],
  client: (row) => row.clients,
  delivery: (row) => [row.delivery.behind_s],
};

/**
 * @param {import("./query.js").Key} key
 * @param {Iterable<string>} columns Keys of all columns there are, to find the files of a key without one.
 * @param {object|null} baseline The row that differences are taken to.
 * @returns {Reader}
 */
export function readerOf(key, columns, baseline) {
  const read = key.kind === "field" ? READERS[key.field] : leafReader(key, columns);
  if (key.of === "missing") return (row) => [read(row).every((value) => value === null) ? 1 : 0];
  if (key.of === "delta") return deltaReader(read, baseline);
  return read;
}

/**
 * What stands in a column: facts and leaves by their key, whatever else has cells (files) by the cell.
 * @param {string} column
 * @returns {(row: object) => number|string|null}
 */
export function columnReader(column) {
  if (Object.hasOwn(READERS, column)) return (row) => READERS[column](row)[0] ?? null;
  return (row) => heldOf(row.cells.get(column));
}

/** Whether a column's texts such as "nan" are numbers. */
export function isLeafColumn(column) {
  return !Object.hasOwn(READERS, column);
}

function leafReader(key, columns) {
  const wanted = columnsOf(key, columns);
  if (wanted.length === 1) return (row) => [heldOf(row.cells.get(wanted[0]))];
  return (row) => {
    for (const column of wanted) {
      const value = heldOf(row.cells.get(column));
      if (value !== null) return [value];
    }
    return [null];
  };
}

/** @returns {string[]} The columns that a key may mean, in the order in which they are asked. */
export function columnsOf(key, columns) {
  if (key.file !== null || key.group === "machine") return [keyOf(key.group, key.file, key.names)];
  const ending = keyOf("machine", null, key.names).slice("machine".length);
  const found = [];
  for (const column of columns) {
    if (!column.startsWith(`${key.group}[`) || !column.endsWith(ending)) continue;
    const parts = partsOf(column);
    if (parts !== null && sameNames(parts.names, key.names)) found.push({ column, file: parts.file });
  }
  return found.sort((one, other) => compareTexts(one.file, other.file)).map(({ column }) => column);
}

function sameNames(some, others) {
  return some.length === others.length && some.every((name, at) => name === others[at]);
}

function deltaReader(read, baseline) {
  const base = baseline === null ? null : asNumber(read(baseline)[0]);
  if (base === null) return () => [null];
  return (row) => {
    const number = asNumber(read(row)[0]);
    return [number === null ? null : number - base];
  };
}

/** @returns {number|string|null} A cell as it is compared. */
function heldOf(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  return value;
}
