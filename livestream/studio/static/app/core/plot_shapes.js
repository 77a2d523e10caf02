// The three shapes that the nine templates draw: points over x, a matrix of counts, bars by category.
//
// Theory. A chart shows at most MAX_POINTS points a line, MAX_CLASSES classes and MAX_BARS categories; what is left
// out is said. Counts and sums are made of all rows first. A line is thinned so that its extremes stay: of each bucket
// of neighbours the lowest and the highest are kept. Points of a scatter are thinned evenly. Jitter comes from the
// number of the row, so that a redraw moves nothing.

import { plural } from "./format.js";
import { byNature, categoryOf, labelsOf, numberOf, valueAt } from "./plot_values.js";

const MAX_POINTS = 2_000;
const MAX_CLASSES = 50;
const MAX_BARS = 40;
const JITTER = 0.7;
const MAX_STEPS_OF_JITTER = 60;

/** Points of the runs: lines sorted by x, scatters as they came. */
export function pointsOf({ kind, x, y }, runs, columns, notes) {
  const isScatter = kind.startsWith("scatter");
  const xType = columns.get(x);
  const yType = isScatter && y.length === 1 ? columns.get(y[0]) : "number";
  const read = (type) => (type === "number" ? numberOf : categoryOf);
  let size = 0;
  let drawn = 0;
  let rows = [];
  for (const [place, run] of runs.entries()) {
    for (const line of y) {
      const all = [];
      for (const row of run.rows) {
        const point = { run: run.label, line, x: read(xType)(valueAt(row, x)), y: read(yType)(valueAt(row, line)) };
        if (point.x !== null && point.y !== null) all.push({ ...point, order: place + all.length * runs.length });
      }
      if (!isScatter && xType === "number") all.sort((one, other) => one.x - other.x);
      const kept = isScatter || yType !== "number" ? thinnedEvenly(all) : thinnedLine(all);
      size = Math.max(size, all.length);
      drawn = Math.max(drawn, kept.length);
      rows = rows.concat(kept);
    }
  }
  if (drawn < size) notes.push(`${plural(drawn, "point")} a line are drawn, of up to ${size.toLocaleString("en-US")}.`);
  const lines = y.length > 1 ? labelsOf(y) : [];
  if (lines.length > 0) rename(rows, "line", new Map(y.map((name, at) => [name, lines[at]])));
  if (xType === "text") relabel(rows, "x");
  if (yType === "text") relabel(rows, "y");
  if (kind === "scatter_jitter") rows = jittered(rows, xType, yType);
  return { xType, yType, rows, lines, size };
}

/** How often each pair of classes came, for each run; pairs that never came are there with 0. */
export function matrixOf({ kind, x, y: [y] }, runs, notes) {
  const counts = runs.map((run) => pairsOf(run.rows, x, y));
  const totals = new Map();
  for (const [one, other, n] of counts.flatMap(listOf)) {
    totals.set(one, (totals.get(one) ?? 0) + n);
    if (other !== one) totals.set(other, (totals.get(other) ?? 0) + n);
  }
  const most = [...totals].sort((one, other) => other[1] - one[1]).slice(0, MAX_CLASSES);
  if (most.length < totals.size) notes.push(`The ${MAX_CLASSES} most frequent of ${totals.size} classes.`);
  const classes = most.map(([name]) => name).sort(byNature);
  const labels = labelsOf(classes);
  const rows = runs.flatMap((run, at) => cellsOf({ run: run.label, place: at }, counts[at], classes, labels, kind));
  return { xType: "text", yType: "text", rows, lines: [], size: classes.length };
}

/** One bar for each category and run; several rows of one category are added up. */
export function categoriesOf({ kind, x, y: [y] }, runs, columns, notes) {
  const isTurned = columns.get(x) === "text" && columns.get(y) === "number"; // the value is where x should be
  const [value, category] = isTurned ? [y, x] : [x, y];
  const sums = runs.map((run) => sumsOf(run.rows, value, category));
  const largest = new Map();
  for (const [name, sum] of sums.flatMap((one) => [...one])) {
    largest.set(name, Math.max(largest.get(name) ?? -Infinity, sum));
  }
  let names = [...largest.keys()];
  if (kind === "bar_horizontal_sorted") names.sort((one, other) => largest.get(other) - largest.get(one));
  if (names.length > MAX_BARS) notes.push(`The first ${MAX_BARS} of ${names.length} categories.`);
  names = names.slice(0, MAX_BARS);
  const labels = labelsOf(names);
  const rows = [];
  for (const [at, run] of runs.entries()) {
    for (const [order, name] of names.entries()) {
      if (sums[at].has(name)) rows.push({ run: run.label, x: sums[at].get(name), y: labels[order], order });
    }
  }
  return { xType: "number", yType: "text", rows, lines: [], size: names.length, xTitle: value, yTitle: category };
}

/** Lowest and highest of each bucket, in order, with both ends. */
function thinnedLine(points, most = MAX_POINTS) {
  if (points.length <= most) return points;
  const kept = [points[0]];
  const buckets = Math.floor((most - 2) / 2);
  const width = (points.length - 2) / buckets;
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const from = 1 + Math.floor(bucket * width);
    const to = 1 + Math.floor((bucket + 1) * width);
    let low = from;
    let high = from;
    for (let at = from; at < to; at += 1) {
      if (points[at].y < points[low].y) low = at;
      if (points[at].y > points[high].y) high = at;
    }
    kept.push(points[Math.min(low, high)]);
    if (low !== high) kept.push(points[Math.max(low, high)]);
  }
  kept.push(points.at(-1));
  return kept;
}

function thinnedEvenly(points, most = MAX_POINTS) {
  if (points.length <= most) return points;
  const stride = (points.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, at) => points[Math.round(at * stride)]);
}

/** @returns {Map<string, Map<string, number>>} How often, by x, then by y. */
function pairsOf(rows, x, y) {
  const pairs = new Map();
  for (const row of rows) {
    const [one, other] = [categoryOf(valueAt(row, x)), categoryOf(valueAt(row, y))];
    if (one === null || other === null) continue;
    if (!pairs.has(one)) pairs.set(one, new Map());
    pairs.get(one).set(other, (pairs.get(one).get(other) ?? 0) + 1);
  }
  return pairs;
}

function listOf(pairs) {
  return [...pairs].flatMap(([one, others]) => [...others].map(([other, n]) => [one, other, n]));
}

/** `share`: of the largest cell; normalised: of all in the same row of the matrix (the same y). */
function cellsOf(run, pairs, classes, labels, kind) {
  const cells = [];
  let largest = 1;
  for (const [row, y] of classes.entries()) {
    const found = classes.map((x) => pairs.get(x)?.get(y) ?? 0);
    const total = found.reduce((sum, n) => sum + n, 0);
    largest = Math.max(largest, ...found);
    for (const [column, n] of found.entries()) {
      cells.push({ ...run, x: labels[column], y: labels[row], row, column, n, total });
    }
  }
  const isNormalized = kind === "confusion_normalized";
  for (const cell of cells) cell.share = isNormalized ? cell.n / Math.max(1, cell.total) : cell.n / largest;
  return cells;
}

function sumsOf(rows, value, category) {
  const sums = new Map();
  for (const row of rows) {
    const [name, number] = [categoryOf(valueAt(row, category)), numberOf(valueAt(row, value))];
    if (name !== null && number !== null) sums.set(name, (sums.get(name) ?? 0) + number);
  }
  return sums;
}

/** Foreign texts of a field replaced by harmless labels; `order` follows the order in which they came. */
function relabel(rows, field) {
  const texts = [...new Set(rows.map((row) => row[field]))];
  const labels = labelsOf(texts);
  rename(rows, field, new Map(texts.map((text, at) => [text, labels[at]])));
  const places = new Map(labels.map((label, at) => [label, at]));
  for (const row of rows) row[field === "x" ? "xOrder" : "yOrder"] = places.get(row[field]);
}

function rename(rows, field, names) {
  for (const row of rows) row[field] = names.get(row[field]);
}

function jittered(rows, xType, yType) {
  const [wideX, wideY] = [xType === "number" ? gapOf(rows, "x") : 1, yType === "number" ? gapOf(rows, "y") : 1];
  return rows.map((row) => {
    const [jx, jy] = [(noise(row.order * 2) - 0.5) * JITTER, (noise(row.order * 2 + 1) - 0.5) * JITTER];
    const moved = { ...row, shownX: row.x, shownY: row.y, jx, jy };
    if (xType === "number") moved.x += jx * wideX;
    if (yType === "number") moved.y += jy * wideY;
    return moved;
  });
}

/** How far apart neighbours are where there are few values; else a small part of the whole. */
function gapOf(rows, field) {
  const values = [...new Set(rows.map((row) => row[field]))].sort((one, other) => one - other);
  if (values.length < 2) return 0;
  const whole = values.at(-1) - values[0];
  if (values.length > MAX_STEPS_OF_JITTER) return whole / MAX_STEPS_OF_JITTER;
  return values.slice(1).reduce((least, value, at) => Math.min(least, value - values[at]), whole);
}

/** A number from 0 to 1 that looks random and is always the same for the same number. */
function noise(number) {
  let bits = Math.imul(number + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 4_294_967_296;
}
