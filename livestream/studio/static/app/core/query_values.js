// Reading texts as numbers and times, and comparing texts, exactly as livestream/studio/query.py does in Python.
//
// The two languages differ in five places, and each is bridged here:
// * whole numbers: Python's have any size; ours are a BigInt where a double would round (JS compares both exactly);
// * spaces: Python's set is its own;
// * case: Python folds ("ß" is "ss"), JS only lowers;
// * order of texts: Python's is by code point, that of JS by UTF-16 unit;
// * a number as text: Python writes 1e+16 and 1e-05 where JS writes 10000000000000000 and 0.00001.
// One difference stays: JSON's 1.0 and 1 are one number to JS, so a whole number is written without ".0".

const NUMBER = /^[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})(e[+-]?\d{1,9})?$/;
const WHOLE = /^[+-]?\d+$/;
const WORDS = new Map([
  ["nan", NaN],
  ["inf", Infinity],
  ["+inf", Infinity],
  ["-inf", -Infinity],
  ["infinity", Infinity],
  ["-infinity", -Infinity],
]);
const TRUTH = new Map([["true", 1], ["false", 0]]);

const SPACES = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const SPACE = new RegExp(`^${SPACES}$`);
const OUTER_SPACES = new RegExp(`^${SPACES}+|${SPACES}+$`, "g");

/** Whether one character is a space to Python. */
export function isSpace(character) {
  return SPACE.test(character);
}

/** A text without the spaces around it. */
export function strip(text) {
  return text.replace(OUTER_SPACES, "");
}

/** The words that a leaf's text may be besides a number: what a sort ranks as numbers. Exact, not lowered. */
export function wordNumber(text) {
  return WORDS.get(text);
}

/**
 * A text as a number, `nan` and `inf` included; the text is in lower case.
 * @returns {number|bigint|null} null where it is none.
 */
export function plainNumber(text) {
  if (WORDS.has(text)) return WORDS.get(text);
  if (!NUMBER.test(text)) return null;
  const number = Number(text);
  if (!WHOLE.test(text) || Number.isSafeInteger(number)) return number;
  const digits = BigInt(text.replace(/^[+-]/, ""));
  return text.startsWith("-") ? -digits : digits;
}

/** As plainNumber, of a condition's value: "true" is 1 and "false" 0. */
export function valueNumber(text) {
  const lowered = text.toLowerCase();
  return TRUTH.get(lowered) ?? plainNumber(lowered);
}

/** Of a BigInt, too. @param {number|bigint} number */
export function isNan(number) {
  return Number.isNaN(number);
}

const SIGMA_END = /ς/g;

/** A text as it is compared where case does not count. */
export function fold(text) {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  const folded = [];
  for (const one of text) folded.push(one === "ı" ? one : one.toLowerCase().toUpperCase().toLowerCase());
  return folded.join("").replace(SIGMA_END, "σ");
}

/** @returns {number} Below, at or above 0, as the first text stands before, with or after the second. */
export function compareTexts(one, other) {
  if (one === other) return 0;
  const shorter = Math.min(one.length, other.length);
  for (let at = 0; at < shorter; at += 1) {
    const left = one.charCodeAt(at);
    const right = other.charCodeAt(at);
    if (left !== right) return codeRank(left) - codeRank(right);
  }
  return one.length - other.length;
}

/** Puts the halves of characters above U+FFFF behind U+E000 to U+FFFF, as code points stand. */
function codeRank(unit) {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** A held number or text as Python's str() writes it. */
export function asText(held) {
  if (typeof held !== "number") return String(held);
  if (Number.isNaN(held)) return "nan";
  if (!Number.isFinite(held)) return held > 0 ? "inf" : "-inf";
  if (Number.isInteger(held)) return Math.abs(held) < 1e21 ? String(held) : exponential(held);
  return Math.abs(held) < 1e-4 ? exponential(held) : String(held);
}

function exponential(number) {
  const [digits, exponent] = number.toExponential().split("e");
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${digits}e${sign}${exponent.replace(/^[+-]/, "").padStart(2, "0")}`;
}

// -- times: what datetime.fromisoformat reads since Python 3.11

const CALENDAR = /^(\d{4})-(\d{2})-(\d{2})|^(\d{4})(\d{2})(\d{2})/;
const WEEK = /^(\d{4})-W(\d{2})(?:-(\d))?|^(\d{4})W(\d{2})(\d)?/;
const CLOCK = /^(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?$|^(\d{2})(\d{2})(?:(\d{2})(?:[.,](\d+))?)?$/;
const ZONE = /(Z|[+-][\d:.,]+)$/;
const DAY_S = 86_400;

/**
 * Seconds since the epoch of a text that says them, or of a date (UTC unless it says otherwise).
 * @returns {number|bigint|null} null where it is neither.
 */
export function readTime(text) {
  const number = plainNumber(text);
  if (number !== null) return isNan(number) ? null : number;
  const date = readDate(text);
  if (date === null) return null;
  const rest = text.slice(date.length);
  if (rest === "") return date.seconds;
  // One character, whatever it is, stands between date and clock.
  const clock = readClock(rest.slice(rest.codePointAt(0) > 0xffff ? 2 : 1));
  return clock === null ? null : date.seconds + clock;
}

function readDate(text) {
  const week = WEEK.exec(text);
  if (week) return readWeek(week);
  const match = CALENDAR.exec(text);
  if (!match) return null;
  const [year, month, day] = (match[1] === undefined ? match.slice(4, 7) : match.slice(1, 4)).map(Number);
  const seconds = utcDay(year, month, day);
  return seconds === null ? null : { seconds, length: match[0].length };
}

/** ISO weeks: the first one holds January the 4th. */
function readWeek(match) {
  const [year, week, day] = [match[1] ?? match[4], match[2] ?? match[5], match[3] ?? match[6] ?? "1"].map(Number);
  const fourth = utcDay(year, 1, 4);
  if (fourth === null || week < 1 || week > 53 || day < 1 || day > 7) return null;
  const monday = (seconds) => seconds - ((new Date(seconds * 1000).getUTCDay() + 6) % 7) * DAY_S;
  const first = monday(fourth);
  const found = first + ((week - 1) * 7 + day - 1) * DAY_S;
  if (week === 53 && first + 52 * 7 * DAY_S >= monday(utcDay(year + 1, 1, 4) ?? Infinity)) return null;
  return { seconds: found, length: match[0].length };
}

function utcDay(year, month, day) {
  if (year < 1 || month < 1 || month > 12 || day < 1) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 ? date.getTime() / 1000 : null;
}

function readClock(text) {
  const zone = ZONE.exec(text);
  const offset = zone ? readOffset(zone[1]) : 0;
  const clock = readSpan(zone ? text.slice(0, zone.index) : text);
  return offset === null || clock === null ? null : clock - offset;
}

function readOffset(text) {
  if (text === "Z") return 0;
  const span = readSpan(text.slice(1));
  if (span === null) return null;
  return text.startsWith("-") ? -span : span;
}

/** Hours to microseconds, as seconds. */
function readSpan(text) {
  const match = CLOCK.exec(text);
  if (!match) return null;
  const [hour, minute, second, part] = match[1] === undefined ? match.slice(5, 9) : match.slice(1, 5);
  const [h, m, s] = [hour, minute ?? 0, second ?? 0].map(Number);
  if (h > 23 || m > 59 || s > 59) return null;
  return h * 3600 + m * 60 + s + (part ? Number(part.slice(0, 6).padEnd(6, "0")) / 1e6 : 0);
}
