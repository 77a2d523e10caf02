// What could be typed next in the query box: keys while a word is typed, operators behind a key, values behind those.
//
// A hint replaces the word that the caret stands in. Keys are found by any part of their name; those whose last name
// begins with what was typed come first, then metrics, params, facts, so that "acc" offers `metrics.acc`.

import { partsOf } from "./cells.js";
import { FIELDS, OPERATORS, QueryError, readKey } from "./query.js";
import { writtenKey } from "./query_mixed.js";
import { fold, isSpace } from "./query_values.js";

/** @typedef {{text: string, label: string, note: string, more: boolean}} Hint `more`: something is typed behind it. */

const MOST_HINTS = 8;
const OPERATOR_NOTES = new Map([
  ["=", "is"],
  ["!=", "is not, or is missing"],
  ["<", "below"],
  ["<=", "at most"],
  [">", "above"],
  [">=", "at least"],
  ["~", "contains"],
]);
const PLAIN_VALUE = /^[^\s"]+$/;

/**
 * @param {string} text Of the box.
 * @param {number} caret
 * @param {{columns: Set<string>, valuesOf: (key: import("./query.js").Key) => string[]}} known
 * @returns {{from: number, to: number, hints: Hint[]}} What of the text a hint replaces.
 */
export function hintsAt(text, caret, { columns, valuesOf }) {
  const from = wordStart(text, caret);
  const word = text.slice(from, caret);
  const to = caret;
  if (word === "") return { from, to, hints: [] };
  const read = keyAt(word);
  if (read === null) return { from, to, hints: keyHints(word, columns) };
  const rest = word.slice(read.at);
  const operator = OPERATORS.filter((one) => rest.startsWith(one)).sort((one, other) => other.length - one.length)[0];
  if (operator === undefined) {
    const longer = keyHints(word, columns).filter((hint) => hint.text !== word);
    return { from, to, hints: rest === "" ? [...longer, ...operatorHints(word)].slice(0, MOST_HINTS) : [] };
  }
  const begun = word.slice(0, read.at) + operator;
  const typed = fold(rest.slice(operator.length).replace(/^"/, ""));
  const values = valuesOf(read.key).filter((value) => fold(value).includes(typed) && fold(value) !== typed);
  return { from, to, hints: values.slice(0, MOST_HINTS).map((value) => valueHint(begun, value)) };
}

function keyHints(word, columns) {
  const prefix = /^(?:delta|missing)\./.exec(word)?.[0] ?? "";
  const typed = fold(word.slice(prefix.length));
  const found = [];
  for (const column of [...(prefix === "delta." ? [] : FIELDS), ...columns]) {
    const rank = rankOf(column, typed);
    if (rank !== null) found.push({ column, rank });
  }
  found.sort((one, other) => one.rank - other.rank || one.column.length - other.column.length);
  const written = found.slice(0, MOST_HINTS).map(({ column }) => prefix + writtenKey(column, columns));
  return [...new Set(written)].map((text) => ({ text, label: text, note: "", more: true }));
}

/** How well a column goes with what was typed; null: not at all. */
function rankOf(column, typed) {
  const parts = partsOf(column) ?? { group: "facts", names: [column] };
  if (parts.group === "files") return null;
  const short = fold([parts.group === "facts" ? "" : parts.group, ...parts.names].filter(Boolean).join("."));
  if (short === typed || fold(column) === typed) return 0;
  const order = ["metrics", "params", "facts", "machine"].indexOf(parts.group);
  if (short.startsWith(typed)) return 1 + order;
  if (fold(parts.names.at(-1) ?? "").startsWith(typed)) return 5 + order;
  return short.includes(typed) || fold(column).includes(typed) ? 10 + order : null;
}

function operatorHints(word) {
  return OPERATORS.map((operator) => ({
    text: word + operator,
    label: operator,
    note: OPERATOR_NOTES.get(operator),
    more: true,
  }));
}

function valueHint(begun, value) {
  const written = PLAIN_VALUE.test(value) ? value : JSON.stringify(value);
  return { text: begun + written, label: value, note: "", more: false };
}

function keyAt(word) {
  try {
    return readKey(word, 0, { page: true, mixed: true });
  } catch (error) {
    if (error instanceof QueryError) return null;
    throw error;
  }
}

/** Where the word begins that ends at the caret; a space within quotes does not part words. */
function wordStart(text, caret) {
  let start = 0;
  let quoted = false;
  for (let at = 0; at < caret; at += 1) {
    if (text[at] === "\\" && quoted) at += 1;
    else if (text[at] === '"') quoted = !quoted;
    else if (!quoted && isSpace(text[at])) start = at + 1;
  }
  return start;
}
