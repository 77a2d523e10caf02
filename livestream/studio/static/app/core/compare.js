// Experiments against each other: differences to a baseline, which way is better, who is best, and what differs at all.
//
// Only numbers have differences. A difference is the experiment's number less the baseline's; NaN and infinities have
// none, since "better by NaN" says nothing. Which way is better is a person's word (`goals`); nothing is guessed.

import { asNumber } from "./cells.js";

/**
 * @param {*} value Of a cell.
 * @param {*} base The baseline's, of the same column.
 * @returns {number|null}
 */
export function difference(value, base) {
  const number = asNumber(value);
  const other = asNumber(base);
  if (number === null || other === null) return null;
  const found = number - other;
  return Number.isFinite(found) ? found : null;
}

/** As difference, of two rows and a column's key; null without a baseline and of the baseline itself. */
export function deltaOf(row, baseline, key) {
  if (baseline === null || baseline === undefined || row.id === baseline.id) return null;
  return difference(valueOf(row, key), valueOf(baseline, key));
}

/** What a row has in a column of which numbers may be compared. */
function valueOf(row, key) {
  return key === "step" ? row.step : row.cells.get(key);
}

/** @returns {"up"|"down"|null} Which way is better. */
export function goalOf(goals, key) {
  return Object.hasOwn(goals, key) ? goals[key] : null;
}

/**
 * @param {number|null} delta
 * @param {"up"|"down"|null} goal
 * @returns {"better"|"worse"|"same"|null} null: nobody knows.
 */
export function verdictOf(delta, goal) {
  if (delta === null) return null;
  if (delta === 0) return "same";
  if (goal === null) return null;
  return delta > 0 === (goal === "up") ? "better" : "worse";
}

/** The best number of a column among rows; null: no goal, or no number that is one. */
function bestOf(rows, key, goal) {
  if (goal === null) return null;
  let best = null;
  for (const row of rows) {
    const number = asNumber(valueOf(row, key));
    if (number === null || Number.isNaN(number)) continue;
    if (best === null || (goal === "up" ? number > best : number < best)) best = number;
  }
  return best;
}

/** @returns {Map<string, number>} The best numbers of all columns that have a goal and at least two numbers. */
export function bestByKey(rows, goals) {
  const found = new Map();
  for (const [key, goal] of Object.entries(goals)) {
    const count = rows.reduce((sum, row) => sum + (asNumber(valueOf(row, key)) === null ? 0 : 1), 0);
    const best = count > 1 ? bestOf(rows, key, goal) : null;
    if (best !== null) found.set(key, best);
  }
  return found;
}

/** Whether a row has the best number of its column. */
export function isBest(row, key, best) {
  return best.has(key) && asNumber(valueOf(row, key)) === best.get(key);
}

/**
 * The columns in which rows are not all alike; one that some have and others lack differs.
 *
 * @param {object[]} rows
 * @param {Iterable<string>} keys Of metrics and params, in the order wanted.
 * @returns {string[]}
 */
export function differing(rows, keys) {
  return [...keys].filter((key) => rows.some((row) => !isAlike(row.cells.get(key), rows[0].cells.get(key))));
}

/** Texts that read as numbers are alike as numbers: JSON has no NaN, so clients send "nan". */
export function isAlike(one, other) {
  if (one === other) return true;
  if (one === undefined || other === undefined || typeof one === typeof other) return false;
  const number = asNumber(one);
  return number !== null && Object.is(number, asNumber(other));
}
