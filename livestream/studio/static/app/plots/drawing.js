// From what is known of the charts to what is drawn of one plot: its lines, their ranges, and what must be said.

import { joinByX, lineOf, smoothed, stepsWithin, withPart, xOf } from "../core/series.js";
import { aggregate } from "../core/series_groups.js";
import { xRange, yRange } from "../core/series_scale.js";
import { originOf } from "../data/charts.js";

const X_WORDS = new Set(["step", "relative", "time"]);

/** @returns {string|null} The metric that is x; null: x is a step or a time. */
export function metricOfX(mode) {
  return X_WORDS.has(mode) ? null : mode;
}

function isRising(values) {
  for (let index = 1; index < values.length; index += 1) if (values[index] < values[index - 1]) return false;
  return true;
}

/**
 * Which steps of a run to ask for in detail, for a zoom.
 * @param {import("../core/series.js").Chart|null} whole
 * @returns {{from: number, to: number|null}|null} Null: what is here is as fine as it gets, or x does not rise.
 */
export function detailOf(whole, zoom, mode, experiment) {
  if (!zoom || !whole || whole.width === 1 || metricOfX(mode)) return null;
  if (mode === "step") return { from: Math.floor(zoom[0]), to: Math.ceil(zoom[1]) };
  const xs = xOf(whole, mode, { origin: originOf(experiment) });
  return isRising(xs) ? stepsWithin(whole, xs, zoom) : null;
}

function isSame(one, other) {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

/** Makes lines, and makes only those anew whose charts, or whose way of being drawn, changed. */
export class LineMaker {
  constructor() {
    this.known = new Map();
    this.joinedFor = [];
    this.joined = { data: [[]], places: [] };
  }

  /**
   * @param {{id: number, whole: object, part: object|null, other: object|null}} run
   * @param {{mode: string, smoothing: number, logX: boolean, logY: boolean}} how
   */
  line(run, how) {
    const origin = originOf(run.id);
    const made = [run.whole, run.part?.chart ?? null, run.other, origin, how];
    const before = this.known.get(run.id);
    if (before && isSame(made, before.made)) return before.line;
    const { whole, part } = run;
    const chart = part ? withPart(whole, part.chart, part.want.from, part.want.to ?? Infinity) : whole;
    const line = lineOf(chart, String(run.id), { ...how, origin, other: run.other });
    this.known.set(run.id, { made, line });
    return line;
  }

  /** The mean of some runs; smoothing is of the mean. */
  group(key, runs, how, smoothing) {
    const lines = runs.map((run) => this.line(run, how));
    const before = this.known.get(key);
    const made = [...lines, smoothing];
    if (before && isSame(made, before.made)) return before.line;
    const line = smoothed(aggregate(lines, key), smoothing);
    this.known.set(key, { made, line });
    return line;
  }

  /** Lines over one x; the same object while the lines are the same. */
  join(lines) {
    if (!isSame(lines, this.joinedFor)) [this.joinedFor, this.joined] = [lines, joinByX(lines)];
    return this.joined;
  }
}

/**
 * @param {import("../core/series.js").Line[]} lines
 * @param {[number, number]|null} zoom
 * @param {{mode: string, logX: boolean, logY: boolean, outliers: boolean}} how
 */
export function rangesOf(lines, zoom, how) {
  const x = zoom ?? fromStart(withWidth(xRange(lines) ?? [0, 1], how.logX), how);
  return { x, y: yRange(lines, x, how) };
}

/** The first bucket's last row is not where the run began: what begins near 0 begins at 0. */
function fromStart([low, high], { mode, logX }) {
  const isNear = low > 0 && low < high * 0.02 && (mode === "step" || mode === "relative");
  return isNear && !logX ? [0, high] : [low, high];
}

function withWidth([low, high], isLog) {
  if (low < high) return [low, high];
  return isLog ? [low / 2, high * 2] : [low - 1, high + 1];
}

/**
 * Of some runs over all of their steps.
 * @returns {{last: number|null, low: number|null, high: number|null, step: number|null}}
 */
export function summaryOf(charts) {
  let [low, high] = [Infinity, -Infinity];
  for (const chart of charts) {
    for (const value of chart.low) if (value < low) low = value;
    for (const value of chart.high) if (value > high) high = value;
  }
  const only = charts.length === 1 ? charts[0] : null;
  const range = low <= high ? { low, high } : { low: null, high: null };
  return { ...range, last: only?.last.at(-1) ?? null, step: only?.steps.at(-1) ?? null };
}

/** What a reader must know to trust the lines: what of them is not to be seen. */
export function noteOf(lines, how) {
  const odd = lines.reduce((sum, line) => sum + line.odd, 0);
  const hidden = lines.reduce((sum, line) => sum + line.hidden, 0);
  const parts = [];
  if (odd) parts.push(`${count(odd)} NaN or infinite`);
  if (hidden) parts.push(`${count(hidden)} at or below 0, not on a log scale`);
  if (!lines.some((line) => line.xs.length) && metricOfX(how.mode)) parts.push("no step has both metrics");
  return parts.join("; ");
}

function count(value) {
  return `${value.toLocaleString("en-US")} ${value === 1 ? "point" : "points"}`;
}
