// Whether a condition holds, and what comes before what: the second half of the language of core/query.js.
//
// What an experiment *holds* under a key is a list (clients are several); null in it is "no value". A *rank* is what a
// sort compares: numbers stand first, then texts, then NaN, then nothing, whichever the direction; within numbers and
// within texts the direction counts. Ranks are made once a row, so sorting compares plain values.

import { asText, compareTexts, fold, isNan, plainNumber, wordNumber } from "./query_values.js";

/**
 * @typedef {number|bigint|string|null} Held
 * @typedef {{class: 0|1|2|3, value: number|bigint|string|null}} Rank
 */

/**
 * @param {import("./query.js").Condition} condition
 * @param {Held[]} held
 */
export function holds({ operator, wanted }, held) {
  if (operator === "!=") return !held.some((value) => equals(value, wanted));
  return held.some((value) => meets(value, operator, wanted));
}

function meets(held, operator, wanted) {
  if (held === null) return false;
  if (operator === "~") return fold(asText(held)).includes(fold(wanted.text));
  if (operator === "=") return equals(held, wanted);
  const number = heldNumber(held);
  if (number !== null && wanted.number !== null) {
    if (isNan(number) || isNan(wanted.number)) return false;
    return isInOrder(operator, orderOf(number, wanted.number));
  }
  if (typeof held !== "string" || wanted.number !== null) return false;
  return isInOrder(operator, compareTexts(held, wanted.text));
}

/** Numbers as numbers ("==" compares a BigInt with a number exactly), NaN with NaN, else texts. */
function equals(held, wanted) {
  if (held === null) return false;
  const number = wanted.number === null ? null : heldNumber(held);
  if (number === null) return asText(held) === wanted.text;
  return number == wanted.number || (isNan(number) && isNan(wanted.number));
}

function heldNumber(held) {
  return typeof held === "string" ? plainNumber(held.toLowerCase()) : held;
}

function isInOrder(operator, order) {
  switch (operator) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

/**
 * What a sort compares of a held value; a text such as "nan" is a number only in leaves of metrics and params.
 * @returns {Rank}
 */
export function rankOf(held, isLeaf) {
  if (held === null || held === undefined) return { class: 3, value: null };
  const value = isLeaf && typeof held === "string" ? (wordNumber(held) ?? held) : held;
  if (typeof value === "string") return { class: 1, value };
  return isNan(value) ? { class: 2, value: null } : { class: 0, value };
}

/** @returns {number} Below 0 where the first stands before the second. */
function compareRanks(one, other, falling) {
  if (one.class !== other.class) return one.class - other.class;
  if (one.class > 1) return 0;
  const order = one.class === 1 ? compareTexts(one.value, other.value) : orderOf(one.value, other.value);
  return falling ? -order : order;
}

function orderOf(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : Number(one > other);
}

/** Whether two ranks sort alike. */
export function sameRank(one, other) {
  return one.class === other.class && one.value === other.value;
}

/**
 * Sort by the first sort, equals by the second, and so on; equals of all keep their order.
 * @param {*[]} items
 * @param {import("./query.js").Sort[]} sorts
 * @param {(item: *, at: number) => Held} held What an item holds under the key of that sort.
 */
export function sortBy(items, sorts, held) {
  const ranked = items.map((item) => ({
    item,
    ranks: sorts.map((sort, at) => rankOf(held(item, at), sort.key.kind === "leaf")),
  }));
  ranked.sort((one, other) => compareAll(one.ranks, other.ranks, sorts));
  return ranked.map(({ item }) => item);
}

/** By the first ranks that differ. */
export function compareAll(one, other, sorts) {
  for (let at = 0; at < sorts.length; at += 1) {
    const order = compareRanks(one[at], other[at], sorts[at].falling);
    if (order !== 0) return order;
  }
  return 0;
}
