// The language in which experiments are filtered and sorted: the grammar of livestream/studio/query.py, which has
// the theory, with the same answers. Texts in, values out.
//
//     condition = key operator value          operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
//     key       = field | group *1( "[" file "]" ) 1*( "." name )
//
// The page knows more than the server does, so three more keys can be read here, when they are asked for (`page`):
//
//     delta.KEY    the difference to the baseline's number under that key; none without a baseline
//     missing.KEY  1 where an experiment has no value there, else 0 ("missing.metrics.acc=true")
//     machine.NAME what the node is; as metrics, without files
//     delivery     seconds that a run is behind

import { isSpace, readTime, strip, valueNumber } from "./query_values.js";

/**
 * @typedef {object} Key
 * @property {"field"|"leaf"} kind
 * @property {string} [field] Of a field.
 * @property {"metrics"|"params"|"machine"} [group] Of a leaf, as `file` (null: whichever has it) and `names`.
 * @property {string|null} [file]
 * @property {string[]} [names]
 * @property {"delta"|"missing"|null} of What of it is meant; null: the value.
 *
 * @typedef {object} Condition
 * @property {Key} key
 * @property {string} operator
 * @property {{text: string, number: number|bigint|null}} wanted
 *
 * @typedef {{key: Key, falling: boolean}} Sort
 */

/** Compared as texts. */
export const TEXT_FIELDS = new Set(["name", "status", "repository", "baseline", "message", "client"]);
const NUMBER_FIELDS = new Set(["id", "step"]);
/** Compared as seconds since the epoch. */
export const TIME_FIELDS = new Set(["created", "updated"]);
/** Every fact that the server knows. */
export const FIELDS = [...TEXT_FIELDS, ...NUMBER_FIELDS, ...TIME_FIELDS].sort();
/** In the order in which they are offered. */
export const OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "~"];

const MAX_NAMES = 32;
const QUOTED = /"(?:[^"\\]|\\.)*"/sy;
const BARE_NAME = /[^.[\]"=!<>~]+/y;
const BARE_NAME_IN_TEXT = /[^.[\]"=!<>~\s]+/y;
const BARE_FILE = /[^\]]+/y;
const WORD = /[a-z]+/y;
const OPERATOR = /!=|<=|>=|=|<|>|~/y;
const LONE_SURROGATE = /\p{Cs}/u;

/** What cannot be read; `at` is the place in the text, the message says it to people and what was expected. */
export class QueryError extends Error {
  constructor(message, at) {
    super(message);
    this.at = at;
  }
}

/**
 * How a text is read: `page` with the page's own keys, `mixed` among words (a name then ends at a space).
 * @typedef {{page?: boolean, mixed?: boolean}} Reading
 */

/**
 * @param {string} text
 * @param {Reading} reading
 * @returns {Condition} Throws QueryError.
 */
export function parseCondition(text, reading = {}) {
  const { key, at } = readKey(text, skip(text, 0), reading);
  const { operator, at: end } = readOperator(text, skip(text, at));
  return { key, operator, wanted: readWanted(key, operator, strip(text.slice(end)), end) };
}

/** @returns {Sort} Throws QueryError. */
export function parseSort(text, reading = {}) {
  const start = skip(text, 0);
  const falling = text.startsWith("-", start);
  const { key, at } = readKey(text, skip(text, start + (falling ? 1 : 0)), reading);
  const end = skip(text, at);
  if (end !== text.length) throw new QueryError(`${near(text, end)} expected nothing after the key`, end);
  return { key, falling };
}

/** @returns {Key|null} null where the text is no key of the page. */
export function keyFrom(text) {
  try {
    return parseSort(text, { page: true }).key;
  } catch (error) {
    if (error instanceof QueryError) return null;
    throw error;
  }
}

/** @returns {{operator: string, at: number}} */
export function readOperator(text, at) {
  const operator = matched(OPERATOR, text, at);
  if (operator === null) throw new QueryError(`${near(text, at)} expected one of ${OPERATORS.join(" ")}`, at);
  return { operator, at: at + operator.length };
}

/**
 * Read a key at a place.
 * @returns {{key: Key, at: number}} With the place behind it.
 */
export function readKey(text, at, reading = {}) {
  const word = matched(WORD, text, at) ?? "";
  const end = at + word.length;
  if (reading.page && (word === "delta" || word === "missing") && text[end] === ".") {
    const { key, at: behind } = readKey(text, end + 1, reading);
    if (key.of !== null) throw new QueryError(`${near(text, end + 1)} ${word} of a ${key.of} says nothing`, end + 1);
    return { key: { ...key, of: word }, at: behind };
  }
  if (word === "metrics" || word === "params") return readLeaf(text, word, end, reading);
  if (reading.page && word === "machine") return readNames(text, { group: word, file: null }, end, reading);
  if (!FIELDS.includes(word) && !(reading.page && word === "delivery")) {
    throw new QueryError(`${near(text, at)} expected one of ${FIELDS.join(", ")}, metrics.NAME or params.NAME`, at);
  }
  return { key: { kind: "field", field: word, of: null }, at: end };
}

function readLeaf(text, group, at, reading) {
  if (text[at] !== "[") return readNames(text, { group, file: null }, at, reading);
  const { word: file, at: end } = readWord(text, at + 1, BARE_FILE, "a file");
  if (text[end] !== "]") throw new QueryError(`${near(text, end)} expected ]`, end);
  return readNames(text, { group, file }, end + 1, reading);
}

function readNames(text, { group, file }, start, reading) {
  const names = [];
  let at = start;
  while (text[at] === ".") {
    const read = readWord(text, at + 1, reading.mixed ? BARE_NAME_IN_TEXT : BARE_NAME, "a name");
    names.push(read.word);
    at = read.at;
  }
  if (names.length === 0) throw new QueryError(`${near(text, at)} expected .NAME after ${group}`, at);
  if (names.length > MAX_NAMES) throw new QueryError(`key: ${names.length} names; at most ${MAX_NAMES}`, start);
  return { key: { kind: "leaf", group, file, names, of: null }, at };
}

function readWord(text, at, bare, what) {
  const quoted = matched(QUOTED, text, at);
  if (quoted !== null) return { word: unquote(quoted, at), at: at + quoted.length };
  const word = matched(bare, text, at);
  if (word === null || text[at] === '"') throw new QueryError(`${near(text, at)} expected ${what}`, at);
  return { word: strip(word), at: at + word.length };
}

/** The text that stands quoted at a place, with its quotes; null where none does. */
export function quotedAt(text, at) {
  return matched(QUOTED, text, at);
}

/** @returns {string} What a JSON string says. Throws QueryError. */
export function unquote(quoted, at) {
  try {
    const text = JSON.parse(quoted);
    if (!LONE_SURROGATE.test(text)) return text;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new QueryError(`character ${at + 1}: not a JSON string`, at);
}

/** Read a value as its key asks for; `at` is its place, for what is wrong with it. */
export function readWanted(key, operator, text, at) {
  const quoted = matched(QUOTED, text, 0) === text && text !== "";
  const value = quoted ? unquote(text, at) : text;
  if (key.of === "missing" || (key.of === null && key.kind === "leaf")) {
    return { text: value, number: quoted ? null : valueNumber(value) };
  }
  if (key.of === null && TEXT_FIELDS.has(key.field)) return { text: value, number: null };
  const isTime = key.of === null && TIME_FIELDS.has(key.field);
  const number = isTime ? readTime(value) : valueNumber(value);
  const name = key.of === "delta" ? "delta" : key.field;
  if (number === null) {
    const kind = isTime ? "seconds since the epoch, or a date such as 2026-11-20" : "a number";
    throw new QueryError(`${name}: '${value.slice(0, 50)}'; expected ${kind}`, at);
  }
  if (operator === "~") throw new QueryError(`${name}: ~ is for texts`, at);
  return { text: value, number };
}

/** The next place that is no space. */
export function skip(text, start) {
  let at = start;
  while (at < text.length && isSpace(text[at])) at += 1;
  return at;
}

/** A place as people count it (from 1, characters outside the plane of UTF-16 once), and what stands there. */
export function near(text, at) {
  return `character ${[...text.slice(0, at)].length + 1} ('${[...text.slice(at, at + 40)].slice(0, 20).join("")}'):`;
}

function matched(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}
