// Several runs as one line: mean with minimum and maximum; and lines as a file.
//
// Runs log at different steps. The mean at an x is over the runs that span it: between two points of its own a run
// counts with the straight line between them, as it is drawn; before its first and after its last it does not count.

import { csvText } from "./csv.js";

/**
 * @param {import("./series.js").Line[]} lines
 * @param {string} key Of the group.
 * @returns {import("./series.js").Line}
 */
export function aggregate(lines, key) {
  const xs = [...new Set(lines.flatMap((line) => line.xs))].sort((one, other) => one - other);
  const group = { key, xs: [], ys: [], raw: null, low: [], high: [], steps: [], odd: 0, hidden: 0 };
  for (const line of lines) {
    group.odd += line.odd;
    group.hidden += line.hidden;
  }
  const readers = lines.map(walker);
  for (const x of xs) {
    let [sum, count, low, high] = [0, 0, Infinity, -Infinity];
    for (const read of readers) {
      const found = read(x);
      if (!found) continue;
      sum += found.y;
      count += 1;
      low = Math.min(low, found.low);
      high = Math.max(high, found.high);
    }
    group.xs.push(x);
    group.ys.push(count ? sum / count : NaN);
    group.low.push(count ? low : NaN);
    group.high.push(count ? high : NaN);
  }
  return group;
}

/** Reads a line at x that rise; null where it is not. */
function walker(line) {
  const places = line.xs.map((_, index) => index).filter((index) => !Number.isNaN(line.ys[index]));
  let at = 0;
  return (x) => {
    while (at + 1 < places.length && line.xs[places[at + 1]] <= x) at += 1;
    const here = places[at];
    if (here === undefined || x < line.xs[here]) return null;
    if (line.xs[here] === x) {
      return { y: line.ys[here], low: edge(line.low, line, here), high: edge(line.high, line, here) };
    }
    const next = places[at + 1];
    if (next === undefined) return null;
    const part = (x - line.xs[here]) / (line.xs[next] - line.xs[here]);
    const y = line.ys[here] + (line.ys[next] - line.ys[here]) * part;
    return { y, low: y, high: y };
  };
}

function edge(values, line, index) {
  const value = values?.[index];
  return Number.isFinite(value) ? value : line.ys[index];
}

/**
 * @param {import("./series.js").Line[]} lines
 * @param {Map<string, string>} labels By the key of the line.
 * @param {string} x What the x is called.
 * @param {[number, number]|null} between Only points with such x; null: all.
 * @returns {string} CSV: a head, then one row a point: what is drawn, nothing else.
 */
export function linesCsv(lines, labels, x, between) {
  const hasRaw = lines.some((line) => line.raw);
  const hasBand = lines.some((line) => line.low);
  const head = ["run", x, ...(x === "step" ? [] : ["step"]), "value"];
  if (hasRaw) head.push("unsmoothed");
  if (hasBand) head.push("minimum", "maximum");
  const rows = [head];
  for (const line of lines) {
    for (let index = 0; index < line.xs.length; index += 1) {
      if (between && (line.xs[index] < between[0] || line.xs[index] > between[1])) continue;
      const row = [labels.get(line.key) ?? line.key, line.xs[index]];
      if (x !== "step") row.push(line.steps[index] ?? null);
      row.push(line.ys[index]);
      if (hasRaw) row.push(line.raw?.[index] ?? null);
      if (hasBand) row.push(line.low?.[index] ?? null, line.high?.[index] ?? null);
      rows.push(row);
    }
  }
  return csvText(rows);
}
