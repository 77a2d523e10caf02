// Rows as CSV (RFC 4180), for every file that the page writes.
//
// A spreadsheet runs a cell that begins with = + - or @ as a formula, and names come from strangers: such a text has an
// apostrophe before it, as the exports of livestream/studio/http/exports.py have, unless it reads as a number. Numbers
// are written whole, never as rounded on the screen; NaN and infinities as nan, inf, -inf; what is missing is empty.

import { asNumber } from "./cells.js";

const LINE_END = "\r\n";
const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

/**
 * @param {Array<Array<*>>} rows Each a list of cells: texts, numbers, null or undefined; others as their JSON.
 * @returns {string}
 */
export function csvText(rows) {
  return rows.map((row) => row.map(cellText).join(",") + LINE_END).join("");
}

function cellText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return numberText(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const safe = FORMULA.test(text) && asNumber(text) === null ? `'${text}` : text;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function numberText(value) {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
