// Charts of the read API as lines to draw: reading, live tails, zoomed parts, the x of a point, smoothing, joining.
//
// A chart is raw rows, or buckets of steps with the last row of each and the bucket's minimum and maximum. A line is a
// chart as drawn: its own x, rising; y with NaN where there is nothing to draw. Every line keeps its own points until
// the end: smoothing, ranges and downloads work on those, so that a metric logged every 100 steps has a hundredth of
// the points of one logged every step, whatever it is drawn with. Only uPlot wants all lines over one common x, and
// `joinByX` makes that, last.

/**
 * @typedef {object} Chart An answer of /api/charts, read.
 * @property {number} experiment
 * @property {number} series
 * @property {string} name
 * @property {string} path
 * @property {number} width Steps a bucket; 1: raw rows.
 * @property {number[]} steps Rising, of the last row in each bucket.
 * @property {number[]} times Seconds since the epoch, parallel, as all below.
 * @property {Float64Array} last NaN and infinities as they are.
 * @property {Float64Array} low NaN where the bucket has no finite value.
 * @property {Float64Array} high
 * @property {number} total Steps with a row in the range asked for.
 */

/**
 * @typedef {object} Line
 * @property {string} key Of the run or the group.
 * @property {number[]} xs Rising; equals are possible.
 * @property {number[]} ys NaN: nothing to draw.
 * @property {number[]|null} raw Before smoothing; null: `ys` is not smoothed.
 * @property {number[]|null} low Band; null: there is none.
 * @property {number[]|null} high
 * @property {number[]} steps Of each point; empty for a group.
 * @property {number} odd Points that are NaN or infinite.
 * @property {number} hidden Points that a logarithmic scale cannot show.
 */

const WORDS = new Map([["nan", NaN], ["inf", Infinity], ["-inf", -Infinity]]);

/** @returns {number} A number of the read API; NaN for null. */
export function numberOf(value) {
  if (typeof value === "number") return value;
  return WORDS.get(value) ?? NaN;
}

/** @returns {Chart} From one element of the answer's `charts`. */
export function readChart(answer) {
  const last = Float64Array.from(answer.last, numberOf);
  const isRaw = answer.width === 1 || answer.minimum.length !== last.length;
  return {
    experiment: answer.experiment,
    series: answer.series,
    name: answer.name,
    path: answer.path,
    width: answer.width,
    steps: answer.steps,
    times: answer.times,
    last,
    low: isRaw ? last : Float64Array.from(answer.minimum, numberOf),
    high: isRaw ? last : Float64Array.from(answer.maximum, numberOf),
    total: answer.total,
  };
}

/** @returns {number} The first index whose value is not below `wanted`; `values` rise. */
export function placeOf(values, wanted) {
  let first = 0;
  let after = values.length;
  while (first < after) {
    const middle = (first + after) >> 1;
    if (values[middle] < wanted) first = middle + 1;
    else after = middle;
  }
  return first;
}

/**
 * A chart with the rows that came after it was asked for. Its last bucket keeps its band: the tail begins with that
 * bucket's last row, so what is new only widens it.
 * @param {Chart} chart
 * @param {Chart} tail Of the same series, from `chart`'s last step or before it.
 * @returns {Chart} `chart` itself where nothing is new.
 */
export function withTail(chart, tail) {
  const count = chart.steps.length;
  if (!count) return tail.steps.length ? tail : chart;
  const lastStep = chart.steps[count - 1];
  const same = placeOf(tail.steps, lastStep);
  const from = placeOf(tail.steps, lastStep + 1);
  const added = tail.steps.length - from;
  const isRenewed = same < from && !Object.is(tail.last[same], chart.last[count - 1]);
  if (!added && !isRenewed) return chart;
  const next = {
    ...chart,
    steps: chart.steps.concat(tail.steps.slice(from)),
    times: chart.times.concat(tail.times.slice(from)),
    last: joined(chart.last, tail.last, from),
    low: joined(chart.low, tail.low, from),
    high: joined(chart.high, tail.high, from),
    total: chart.total + (tail.width === 1 ? added : Math.max(added, tail.total - 1)),
  };
  if (isRenewed) {
    const value = tail.last[same];
    next.last[count - 1] = value;
    next.low[count - 1] = chart.width === 1 ? value : Math.min(next.low[count - 1], value);
    next.high[count - 1] = chart.width === 1 ? value : Math.max(next.high[count - 1], value);
  }
  return next;
}

function joined(one, other, from) {
  const values = new Float64Array(one.length + other.length - from);
  values.set(one);
  values.set(other.subarray(from), one.length);
  return values;
}

/**
 * The whole of a series with a part of it in detail: lines run on beyond the edges of what was zoomed to.
 * @param {Chart} whole
 * @param {Chart} part
 * @param {number} from First step that `part` was asked for.
 * @param {number} to Last step.
 * @returns {Chart}
 */
export function withPart(whole, part, from, to) {
  const before = placeOf(whole.steps, from);
  const after = placeOf(whole.steps, to + 1);
  const floats = (name) => {
    const values = new Float64Array(before + part.steps.length + whole.steps.length - after);
    values.set(whole[name].subarray(0, before));
    values.set(part[name], before);
    values.set(whole[name].subarray(after), before + part.steps.length);
    return values;
  };
  const list = (name) => [...whole[name].slice(0, before), ...part[name], ...whole[name].slice(after)];
  return {
    ...whole,
    width: part.width,
    steps: list("steps"),
    times: list("times"),
    last: floats("last"),
    low: floats("low"),
    high: floats("high"),
  };
}

/**
 * The x of every point of a chart.
 * @param {Chart} chart
 * @param {"step"|"relative"|"time"|string} mode Else the name of a metric.
 * @param {{origin: number, other: Chart|null}} with_ When the run began; the metric's chart of the same run.
 * @returns {number[]} NaN where the point has no x (the other metric was not logged at its step).
 */
export function xOf(chart, mode, { origin = 0, other = null } = {}) {
  if (mode === "step") return chart.steps;
  if (mode === "time") return chart.times;
  if (mode === "relative") return chart.times.map((time) => time - origin);
  if (!other) return chart.steps.map(() => NaN);
  return chart.steps.map((step) => {
    const place = placeOf(other.steps, step);
    return other.steps[place] === step && Number.isFinite(other.last[place]) ? other.last[place] : NaN;
  });
}

/**
 * Debiased exponential moving average, as TensorBoard's: every point counts (1 - weight) of the difference, and the
 * start is not pulled towards 0. What is not finite stays as it is and moves nothing.
 * @param {ArrayLike<number>} values
 * @param {number} weight 0 (none) to below 1.
 * @returns {number[]} As many as `values`.
 */
export function ema(values, weight) {
  const smooth = new Array(values.length);
  let average = 0;
  let remaining = 1;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (!Number.isFinite(value)) {
      smooth[index] = value;
      continue;
    }
    average = average * weight + (1 - weight) * value;
    remaining *= weight;
    smooth[index] = average / (1 - remaining);
  }
  return smooth;
}

/**
 * @param {Chart} chart
 * @param {string} key
 * @param {{mode: string, origin: number, other: Chart|null, smoothing: number, logX: boolean, logY: boolean}} how
 * @returns {Line}
 */
export function lineOf(chart, key, { mode, origin, other, smoothing = 0, logX = false, logY = false }) {
  const xs = xOf(chart, mode, { origin, other });
  const smooth = smoothing > 0 ? ema(chart.last, smoothing) : null;
  const line = { key, xs: [], ys: [], raw: smooth ? [] : null, low: null, high: null, steps: [], odd: 0, hidden: 0 };
  const hasBand = chart.low !== chart.last && chart.width > 1;
  if (hasBand) [line.low, line.high] = [[], []];
  const floor = logY ? 0 : -Infinity;
  const drawn = (value) => (Number.isFinite(value) && value > floor ? value : NaN);
  for (const index of order(xs)) {
    const value = chart.last[index];
    if (Number.isNaN(xs[index])) continue;
    if (logX && xs[index] <= 0) {
      line.hidden += 1;
      continue;
    }
    if (!Number.isFinite(value)) line.odd += 1;
    else if (logY && value <= 0) line.hidden += 1;
    line.xs.push(xs[index]);
    line.steps.push(chart.steps[index]);
    line.ys.push(drawn(smooth ? smooth[index] : value));
    line.raw?.push(drawn(value));
    line.low?.push(drawn(chart.low[index]));
    line.high?.push(drawn(chart.high[index]));
  }
  return line;
}

/** Indices by rising x: clocks go back, and another metric goes where it likes. */
function* order(xs) {
  let before = -Infinity;
  const isRising = xs.every((x) => {
    if (x < before) return false;
    if (!Number.isNaN(x)) before = x;
    return true;
  });
  if (isRising) {
    for (let index = 0; index < xs.length; index += 1) yield index;
    return;
  }
  const known = xs.map((_, index) => index).filter((index) => !Number.isNaN(xs[index]));
  yield* known.sort((one, other) => xs[one] - xs[other] || one - other);
}

/**
 * Lines over one common x, for uPlot: null where a line is broken (NaN), undefined where it merely has no point.
 * @param {Line[]} lines
 * @returns {{data: Array, places: Uint32Array[]}} `[xs, ...ys]`; and where each line's points are in it.
 */
export function joinByX(lines) {
  const heads = lines.map(() => 0);
  const places = lines.map((line) => new Uint32Array(line.xs.length));
  const data = [[], ...lines.map(() => [])];
  for (;;) {
    let x = Infinity;
    for (let index = 0; index < lines.length; index += 1) {
      const head = heads[index];
      if (head < lines[index].xs.length && lines[index].xs[head] < x) x = lines[index].xs[head];
    }
    if (x === Infinity) return { data, places };
    const place = data[0].push(x) - 1;
    for (let index = 0; index < lines.length; index += 1) {
      const { xs, ys } = lines[index];
      const head = heads[index];
      const isHere = head < xs.length && xs[head] === x;
      data[index + 1].push(isHere ? nullOf(ys[head]) : undefined);
      if (!isHere) continue;
      places[index][head] = place;
      heads[index] = head + 1;
    }
  }
}

function nullOf(value) {
  return Number.isNaN(value) ? null : value;
}

/** @returns {number} Index of the point nearest to an x; -1: there is none. */
export function nearest(xs, x) {
  const place = placeOf(xs, x);
  if (place === 0) return xs.length ? 0 : -1;
  if (place === xs.length) return place - 1;
  return x - xs[place - 1] <= xs[place] - x ? place - 1 : place;
}

/** @returns {Line} With its moving average drawn, and what it was before behind it. */
export function smoothed(line, weight) {
  return weight > 0 ? { ...line, raw: line.ys, ys: ema(line.ys, weight) } : line;
}

/**
 * The steps that an x range is about, a point more on either side where there is one.
 * @param {Chart} chart
 * @param {number[]} xs Of its points; must rise.
 * @param {[number, number]} range
 * @returns {{from: number, to: number|null}|null} `to` null: open. Null: there is nothing in it.
 */
export function stepsWithin(chart, xs, [low, high]) {
  if (!xs.length) return null;
  const first = Math.max(0, placeOf(xs, low) - 1);
  const after = placeOf(xs, high);
  return { from: chart.steps[first], to: after >= xs.length ? null : chart.steps[after] };
}
