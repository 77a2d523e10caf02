// The table as a CSV file (csv.js), with a mark of its encoding first, which Excel asks for; times as UTC in ISO 8601.

import { deltaOf } from "./compare.js";
import { csvText } from "./csv.js";

const BYTE_ORDER_MARK = "\ufeff";

/** Facts are objects or times in a row; everything else is a cell. */
const FACTS = {
  name: (row) => row.name,
  status: (row) => row.status.kind,
  step: (row) => row.step,
  created: (row) => isoTime(row.created),
  updated: (row) => isoTime(row.updated),
  message: (row) => row.message,
  client: (row) => row.clients.join(" "),
  delivery: (row) => row.delivery.behind_s,
};

/** Columns before those that are shown: without them nobody could say which experiment a line is. */
const FIRST = [
  ["id", (row) => row.id],
  ["repository", (row) => row.repository],
  ["commit", (row) => row.baseline_sha],
];

/**
 * @param {object[]} rows In the order of the table.
 * @param {string[]} columns Keys in the order of the table.
 * @param {{baseline?: object|null}} more With a baseline every number is its difference to it, as on the screen in
 *   delta mode; the baseline's own line keeps its values.
 * @returns {string}
 */
export function tableCsv(rows, columns, { baseline = null } = {}) {
  const readers = columns.map((key) => (row) => cell(row, key, baseline));
  const lines = [[...FIRST.map(([name]) => name), ...columns]];
  for (const row of rows) lines.push([...FIRST.map(([, read]) => read(row)), ...readers.map((read) => read(row))]);
  return BYTE_ORDER_MARK + csvText(lines);
}

function cell(row, key, baseline) {
  if (Object.hasOwn(FACTS, key)) return FACTS[key](row);
  return deltaOf(row, baseline, key) ?? row.cells.get(key);
}

function isoTime(seconds) {
  return new Date(seconds * 1000).toISOString();
}
