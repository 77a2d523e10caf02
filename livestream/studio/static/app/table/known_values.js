// Texts that experiments hold under a key: what is offered where a value is typed.

import { readerOf } from "../core/held.js";
import { asText, compareTexts } from "../core/query_values.js";
import { STATUSES } from "../core/statuses.js";
import { keys, rows } from "../data/experiments.js";

const MOST = 40;
const MOST_CHARACTERS = 80;
const WITHOUT = new Set(["id", "step", "created", "updated", "delivery"]);

/**
 * @param {import("../core/query.js").Key} key
 * @returns {string[]} Few: nobody looks through hundreds of numbers.
 */
export function valuesOf(key) {
  if (key.of === "missing") return ["true", "false"];
  if (key.of === "delta" || WITHOUT.has(key.field)) return [];
  if (key.field === "status") return STATUSES;
  const held = readerOf(key, keys.value, null);
  const found = new Set();
  for (const row of rows.value) {
    for (const value of held(row)) {
      if (value !== null && value !== "") found.add(asText(value));
    }
    if (found.size > MOST) break;
  }
  return [...found].filter((text) => text.length <= MOST_CHARACTERS).sort(compareTexts);
}
