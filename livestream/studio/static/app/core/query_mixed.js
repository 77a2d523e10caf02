// What people type into the query box: words to look for and conditions, in any order, between spaces.
//
//     lr sweep metrics.acc>0.9 status=running "two words" delta.metrics.acc > 0.01
//
// A condition begins with a key of the language (core/query.js) that an operator follows; its value ends at a space
// unless it is quoted. Everything else is a word, and every word must stand in an experiment's name, message, commit,
// repository or folder. What looks like a condition but is none becomes a problem with its place and is left out, so
// that a half typed condition never empties the table.

import { keyOf, partsOf } from "./cells.js";
import {
  OPERATORS,
  QueryError,
  FIELDS,
  near,
  parseCondition,
  quotedAt,
  readKey,
  readOperator,
  readWanted,
  skip,
  unquote,
} from "./query.js";
import { isSpace } from "./query_values.js";

/**
 * @typedef {{at: number, message: string, unfinished: boolean}} Problem `unfinished`: it is at the end of the text,
 *   where somebody may still be typing.
 * @typedef {{words: string[], conditions: import("./query.js").Condition[], problems: Problem[]}} Query
 */

const KEY_START = new RegExp(
  `(?:delta\\.|missing\\.)*(?:(?:metrics|params|machine)(?=[.[])|(?:${FIELDS.join("|")}|delivery)(?=[\\s=!<>~]|$))`,
  "y",
);
const OPERATOR_AT = /!=|<=|>=|=|<|>|~/y;
const SOME_OPERATOR = /[^\s](!=|<=|>=|=|<|>|~)/;
const PAGE = { page: true, mixed: true };

/** @returns {Query} Never throws. */
export function parseQuery(text) {
  const query = { words: [], conditions: [], problems: [] };
  let at = skip(text, 0);
  while (at < text.length) {
    const end = wordEnd(text, at);
    try {
      at = skip(text, readPart(text, at, end, query));
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      query.problems.push({ at: error.at, message: error.message, unfinished: end === text.length });
      at = skip(text, end);
    }
  }
  return query;
}

/**
 * One condition of the filter menu.
 * @returns {{condition: import("./query.js").Condition|null, problem: Problem|null}} One of both.
 */
export function readFilter(text) {
  try {
    return { condition: parseCondition(text, { page: true }), problem: null };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return { condition: null, problem: { at: error.at, message: error.message, unfinished: false } };
  }
}

/** @returns {number} The place behind what was read. */
function readPart(text, at, end, query) {
  const quoted = quotedAt(text, at);
  if (quoted !== null) {
    query.words.push(unquote(quoted, at));
    return at + quoted.length;
  }
  if (!startsKey(text, at)) return readText(text, at, end, query);
  const { key, at: behind } = readKey(text, at, PAGE);
  const place = skip(text, behind);
  if (!isOperator(text, place)) {
    if (key.kind === "field" && key.of === null) return readText(text, at, end, query);
    throw new QueryError(`${near(text, place)} expected one of ${OPERATORS.join(" ")}`, place);
  }
  const { operator, at: after } = readOperator(text, place);
  const value = valueAt(text, skip(text, after));
  if (value.text === "") throw new QueryError(`${near(text, value.at)} expected a value; "" is an empty one`, value.at);
  query.conditions.push({ key, operator, wanted: readWanted(key, operator, value.text, value.at) });
  return value.at + value.text.length;
}

function readText(text, at, end, query) {
  const word = text.slice(at, end);
  if (SOME_OPERATOR.test(word)) {
    const expected = "expected a column before the operator, such as status or metrics.NAME";
    throw new QueryError(`${near(text, at)} ${expected}; quote it to look for the text`, at);
  }
  query.words.push(word);
  return end;
}

function startsKey(text, at) {
  KEY_START.lastIndex = at;
  return KEY_START.test(text);
}

function isOperator(text, at) {
  OPERATOR_AT.lastIndex = at;
  return OPERATOR_AT.test(text);
}

function valueAt(text, at) {
  return { at, text: quotedAt(text, at) ?? text.slice(at, wordEnd(text, at)) };
}

/** The end of what stands at a place without a space that is not quoted. */
function wordEnd(text, start) {
  let at = start;
  while (at < text.length && !isSpace(text[at])) at += quotedAt(text, at)?.length ?? 1;
  return at;
}

// -- writing

/** A column's key as it can stand among words: names with spaces are quoted, the file is left out where one has it. */
export function writtenKey(column, columns) {
  const parts = partsOf(column);
  if (parts === null || parts.group === "facts") return column;
  const names = parts.names.map((name) => `.${bareName(name)}`).join("");
  const sisters = [...columns].filter((one) => isSister(one, parts));
  const needsFile = parts.file !== null && sisters.length > 1;
  return (needsFile ? keyOf(parts.group, parts.file, []) : parts.group) + names;
}

function isSister(column, parts) {
  if (!column.startsWith(parts.group)) return false;
  const other = partsOf(column);
  return other?.group === parts.group && JSON.stringify(other.names) === JSON.stringify(parts.names);
}

function bareName(name) {
  return /^[^.[\]"=!<>~\s]+$/.test(name) ? name : JSON.stringify(name);
}

/** A condition of the filter menu as a text; texts that could be read otherwise are quoted. */
export function conditionText(key, operator, value) {
  const isPlain = value !== "" && !value.startsWith('"') && value === value.trim();
  return `${key}${operator}${isPlain ? value : JSON.stringify(value)}`;
}
