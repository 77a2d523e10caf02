// Single values of foreign rows: read as numbers, as plain text, as rows.
//
// Theory. A column is "number" if every value that it has reads as one ("nan" and "inf" too, which are drawn as gaps);
// one word among them makes it "text", for a category that is left out would be a lie and a gap would not.

const SAMPLE_COLUMNS = 50;
const NOT_FINITE = new Set(["", "nan", "inf", "-inf", "infinity", "-infinity", "none", "null"]);
// Characters that draw nothing or turn the text around them: control characters and the marks of bidirectional text.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/** Foreign text made harmless for labels: one line, no marks that turn other text around, not too long. */
export function plain(text, most) {
  const seen = String(text).slice(0, most * 4).replace(UNSEEN, " ").trim();
  return seen.length > most ? `${seen.slice(0, most - 1)}…` : seen;
}

/** The objects among rows; one object that holds a single list (as scikit-learn's curves come) is that list. */
export function rowsOf(rows) {
  const list = Array.isArray(rows) ? rows : isObject(rows) ? [rows] : [];
  const objects = list.filter(isObject);
  if (objects.length !== 1) return objects;
  const held = Object.values(objects[0]);
  const isWrapped = held.length === 1 && Array.isArray(held[0]) && held[0].length > 0 && held[0].every(isObject);
  return isWrapped ? held[0] : objects;
}

/** @returns {Map<string, "number"|"text">} Columns in the order in which they first come. */
export function columnsOf(rows) {
  const columns = new Map();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const known = columns.get(name);
      if (known === "text" || value === null) continue;
      if (known === undefined && columns.size >= SAMPLE_COLUMNS) continue;
      columns.set(name, isNumeric(value) ? "number" : "text");
    }
  }
  return columns;
}

/** @returns {number|null} Finite, or null where nothing can be drawn. */
export function numberOf(value) {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "string" || value.length > 40 || NOT_FINITE.has(value.trim().toLowerCase())) return null;
  const read = Number(value);
  return Number.isFinite(read) ? read : null;
}

/** A value as the name of a category; null where there is none. */
export function categoryOf(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Harmless labels for foreign texts, one each, no two alike. @param {string[]} texts */
export function labelsOf(texts) {
  const used = new Set();
  return texts.map((text) => {
    const label = plain(text, 60) || "(empty)";
    let free = label;
    for (let number = 2; used.has(free); number += 1) free = `${label} (${number})`;
    used.add(free);
    return free;
  });
}

/** "class 2" before "class 10". */
export function byNature(one, other) {
  return one.localeCompare(other, "en", { numeric: true }) || (one < other ? -1 : one > other ? 1 : 0);
}

/** The value of a row's own column; nothing that every object has. */
export function valueAt(row, name) {
  return Object.hasOwn(row, name) ? row[name] : undefined;
}

function isNumeric(value) {
  return typeof value === "number" || (typeof value === "string" && isNumericText(value));
}

function isNumericText(text) {
  return NOT_FINITE.has(text.trim().toLowerCase()) || numberOf(text) !== null;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
