// Numbers, times and sizes as people read them: short, never rounded to a falsehood, the same everywhere.

const UNITS = ["B", "KB", "MB", "GB", "TB"];
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;
/** Where there is no value. */
export const MISSING = "–";

/** @param {number|string|boolean|null|undefined} value Of a cell. */
export function formatValue(value) {
  if (value === null || value === undefined) return MISSING;
  if (typeof value === "number") return formatNumber(value);
  return String(value);
}

/** Six significant digits at most; whole numbers whole, with thin groups; tiny and huge ones in powers of ten. */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(size >= 1 ? 6 : 5)));
}

/** With its sign, for differences: "+0.012", "−3", "±0". */
export function formatDelta(value) {
  if (value === 0) return "±0";
  const text = formatNumber(Math.abs(value));
  return (value > 0 ? "+" : "−") + text;
}

/** @param {number} seconds A length of time. */
export function formatSpan(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 2 * MINUTE_S) return `${whole} s`;
  if (whole < 2 * HOUR_S) return `${Math.floor(whole / MINUTE_S)} min`;
  if (whole < 2 * DAY_S) return `${Math.floor(whole / HOUR_S)} h`;
  return `${Math.floor(whole / DAY_S)} days`;
}

/** @param {number} time Seconds since the epoch; @param {number} now Likewise. */
export function formatAgo(time, now) {
  const ago = now - time;
  return ago < 5 ? "just now" : `${formatSpan(ago)} ago`;
}

/** A moment in the viewer's own time zone: "2026-11-21 15:04:05". */
export function formatTime(time) {
  const moment = new Date(time * 1000);
  if (Number.isNaN(moment.getTime())) return MISSING;
  const two = (value) => String(value).padStart(2, "0");
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  return `${day} ${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
}

/** @param {number} bytes */
export function formatSize(bytes) {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** "1 row", "2 rows", "1,000 rows". */
export function plural(count, noun) {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

/** The start and the end of a long name, for what differs stands at the end as often as at the start. */
export function shorten(text, most) {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) * 0.6);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(-tail)}`;
}
