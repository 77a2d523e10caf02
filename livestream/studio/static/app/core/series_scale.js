// From lines to scales: what of y is seen, which of it are outliers, and what the ticks say.
//
// A scale shows everything that is drawn (lines, what they were before smoothing, bands), and no more than a little air
// around it. Without outliers it shows the middle 90 % of the points and half that span on either side, never more than
// there is: a first loss of 1e6 does not make a flat line of the rest.

/** @returns {number} Of numbers that rise, with the part `fraction` below; linear between two. NaN for none. */
function quantile(sorted, fraction) {
  if (!sorted.length) return NaN;
  const place = (sorted.length - 1) * fraction;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/**
 * @param {number[]} values Any order; what is not finite is left out.
 * @param {number} low Smallest that could be shown.
 * @param {number} high
 * @returns {[number, number]} Without outliers.
 */
function outlierRange(values, low, high) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  if (!sorted.length) return [low, high];
  const first = quantile(sorted, 0.05);
  const last = quantile(sorted, 0.95);
  const air = (last - first) / 2;
  return [Math.max(low, first - air), Math.min(high, last + air)];
}

/** @returns {[number, number]|null} First and last x of some lines. */
export function xRange(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const { xs } of lines) {
    if (!xs.length) continue;
    low = Math.min(low, xs[0]);
    high = Math.max(high, xs[xs.length - 1]);
  }
  return low <= high ? [low, high] : null;
}

/**
 * What y shows between two x.
 * @param {import("./series.js").Line[]} lines
 * @param {[number, number]} between
 * @param {{outliers: boolean, logY: boolean}} how
 * @returns {[number, number]}
 */
export function yRange(lines, between, { outliers = true, logY = false } = {}) {
  let low = Infinity;
  let high = -Infinity;
  const inner = [];
  for (const line of lines) {
    for (let index = 0; index < line.xs.length; index += 1) {
      if (line.xs[index] < between[0] || line.xs[index] > between[1]) continue;
      for (const values of [line.ys, line.raw, line.low, line.high]) {
        const value = values?.[index];
        if (value < low) low = value;
        if (value > high) high = value;
      }
      if (!outliers) inner.push((line.raw ?? line.ys)[index]);
    }
  }
  if (low > high) return logY ? [0.1, 10] : [0, 1];
  if (!outliers) [low, high] = outlierRange(inner, low, high);
  return logY ? airOfLog(low, high) : air(low, high);
}

function air(low, high) {
  if (low === high) {
    const half = Math.abs(low) * 0.1 || 1;
    return [low - half, high + half];
  }
  const more = (high - low) * 0.06;
  return [low - more, high + more];
}

function airOfLog(low, high) {
  const factor = low === high ? 2 : (high / low) ** 0.06;
  return [low / factor, high * factor];
}

const POWERS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/**
 * What the ticks of an axis say: as many digits as tell them apart, and no more.
 * @param {number[]} ticks
 * @returns {string[]}
 */
export function tickLabels(ticks) {
  const top = ticks.reduce((most, tick) => Math.max(most, Math.abs(tick)), 0);
  if (top >= 1e15 || top < 1e-3) return ticks.map(logTickLabel);
  const [power, sign] = POWERS.find(([least]) => top >= least && top >= 1e4) ?? [1, ""];
  const gap = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) / power : 1;
  const digits = digitsOf(ticks.map((tick) => tick / power), gap);
  return ticks.map((tick) => (tick === 0 ? "0" : (tick / power).toFixed(digits) + sign));
}

/** The fewest decimals with which no tick is off by more than a hundredth of the gap between two. */
function digitsOf(values, gap) {
  for (let digits = 0; digits < 9; digits += 1) {
    if (values.every((value) => Math.abs(Number(value.toFixed(digits)) - value) <= gap / 100)) return digits;
  }
  return 9;
}

/**
 * Ticks of a logarithmic scale: powers of ten, or between few of them also twos and fives, or round numbers.
 * @returns {number[]}
 */
export function logTicks([low, high], most = 6) {
  const decades = Math.log10(high / low);
  if (!(low > 0) || !(decades > 0)) return [low];
  const first = Math.floor(Math.log10(low));
  const stride = Math.max(1, Math.ceil(decades / most));
  const factors = decades < 0.9 ? [] : decades < most / 2.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = first - (first % stride); power <= Math.log10(high); power += stride) {
    for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
  }
  return factors.length ? ticks.filter((tick) => tick >= low && tick <= high) : linearTicks([low, high], most);
}

/** @returns {number[]} Round numbers within a range. */
export function linearTicks([low, high], most = 6) {
  const rough = (high - low) / most;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((one) => one >= rough);
  const ticks = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) ticks.push(at * step);
  return ticks;
}

/** Ticks of a logarithmic scale stand alone: each says itself as short as it can. */
export function logTickLabel(tick) {
  if (tick === null) return "";
  if (tick === 0) return "0";
  const size = Math.abs(tick);
  if (size >= 1e4 || size < 1e-3) return Number(tick.toPrecision(4)).toExponential().replace("e+", "e");
  return String(Number(tick.toPrecision(3)));
}

/**
 * Moments on an axis: the time of day, and the date where a day begins.
 * @param {number[]} ticks Seconds since the epoch.
 * @returns {string[]}
 */
export function timeLabels(ticks) {
  const gap = ticks.length > 1 ? ticks[1] - ticks[0] : 60;
  const two = (value) => String(value).padStart(2, "0");
  return ticks.map((tick) => {
    const moment = new Date(tick * 1000);
    if (gap >= 27 * 86_400) return `${MONTHS[moment.getMonth()]} ${moment.getFullYear()}`;
    const clock = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
    if (clock === "00:00" || gap >= 86_400) return `${MONTHS[moment.getMonth()]} ${moment.getDate()}`;
    return gap < 60 ? `${clock}:${two(moment.getSeconds())}` : clock;
  });
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SPANS = [[86_400, "d"], [3_600, "h"], [60, "m"], [1, "s"]];

/** @returns {string} A span of seconds in at most two units: "1 h 20 m". */
export function spanLabel(seconds) {
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? "-" : "";
  if (size < 1) return `${sign}${Number(size.toPrecision(2))} s`;
  const at = SPANS.findIndex(([least]) => size >= least);
  const [unit, letter] = SPANS[at];
  if (letter === "s") return `${sign}${Number(size.toFixed(1))} s`;
  const [lower, small] = SPANS[at + 1];
  const whole = Math.floor(size / unit + 1e-9);
  const rest = Math.round((size - whole * unit) / lower);
  return rest > 0 ? `${sign}${whole} ${letter} ${rest} ${small}` : `${sign}${whole} ${letter}`;
}

/** @returns {string} A value as people compare it: six significant digits. */
export function valueLabel(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  const isPlain = size === 0 || (size < 1e9 && size >= 1e-4);
  if (!isPlain) return value.toExponential(4).replace(/\.?0+e/, "e").replace("e+", "e");
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(6)));
}
