// What a click on the table's head makes of the wishes in the view (core/columns.js): all pure, each answers fields.

import { END, isAlwaysPinned, isBelow, withMove } from "./columns.js";

/** @typedef {import("./columns.js").Columns} Columns */

/**
 * Rising, then falling, then not at all; `add` keeps the other sorts.
 *
 * @param {{key: string, falling: boolean}[]} sort
 */
export function sortedBy(sort, key, add) {
  const before = sort.find((one) => one.key === key);
  const next = before ? (before.falling ? [] : [{ key, falling: true }]) : [{ key, falling: false }];
  if (!add) return { sort: next };
  if (!before) return { sort: [...sort, ...next] };
  return { sort: sort.flatMap((one) => (one === before ? next : [one])) };
}

/**
 * Put a column, or all below a prefix, before another column.
 *
 * @param {Columns} columns
 * @param {{order: string[], pinned: string[]}} view
 * @param {string} before A key, or END.
 */
export function movedTo(columns, { order, pinned }, subject, before) {
  const kept = columns.pinned.filter(({ key }) => !isAlwaysPinned(key)).map(({ key }) => key);
  if (!kept.includes(subject)) {
    const isKept = columns.pinned.some(({ key }) => key === before);
    return { order: withMove(order, subject, isKept ? (columns.free[0]?.key ?? END) : before) };
  }
  const rest = pinned.filter((key) => key !== subject);
  const at = rest.indexOf(before);
  return { pinned: at < 0 ? [...rest, subject] : [...rest.slice(0, at), subject, ...rest.slice(at)] };
}

/** Pin a column, or let it go. */
export function pinnedAs({ pinned }, key) {
  return { pinned: pinned.includes(key) ? pinned.filter((one) => one !== key) : [...pinned, key] };
}

/** Hide a column, or all below a prefix, also what comes there later. */
export function withHidden({ hidden }, prefix) {
  return { hidden: [...hidden.filter((one) => !isBelow(prefix, one)), prefix] };
}

/**
 * Show a column, or all below a prefix. Where a wider prefix is hidden, the rest of what it hid stays hidden.
 *
 * @param {Columns} columns
 */
export function withShown(columns, { hidden }, prefix) {
  const next = [];
  for (const one of hidden) {
    if (isBelow(prefix, one)) continue;
    if (isBelow(one, prefix)) next.push(...restOf(columns, one, prefix));
    else next.push(one);
  }
  return { hidden: [...new Set(next)] };
}

/** The widest prefixes below `wide` that do not hold `prefix`. */
function restOf({ all }, wide, prefix) {
  const rest = new Set();
  for (const { key, groups } of all) {
    if (!isBelow(wide, key) || isBelow(prefix, key)) continue;
    const steps = [...groups.map((group) => group.key), key];
    rest.add(steps.find((step) => step !== wide && isBelow(wide, step) && !isBelow(step, prefix)) ?? key);
  }
  return rest;
}

/** @returns {"all"|"some"|"none"} How much of what is below a prefix is shown. */
export function shownOf({ all, hidden }, prefix) {
  const below = all.filter(({ key }) => isBelow(prefix, key));
  const count = below.filter(({ key }) => !hidden.has(key)).length;
  return count === below.length ? "all" : count ? "some" : "none";
}

/** Up, down, or none. */
export function withGoal({ goals }, key, goal) {
  const { [key]: before, ...rest } = goals;
  return { goals: goal && goal !== before ? { ...rest, [key]: goal } : rest };
}
