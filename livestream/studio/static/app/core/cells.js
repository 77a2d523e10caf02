// From an experiment's nested dictionaries to flat cells, each under a key of the condition language.
//
// The key of a leaf is what one would write to filter by it (query.py): `metrics[dvclive/metrics.json].train.loss`.
// It always names the file, so that one key means one column; a name or file that the grammar could not read bare is
// written as a JSON string. Cells are kept in a Map: names come from strangers, and "__proto__" is a name like any other.

/** @typedef {"facts"|"metrics"|"params"|"files"|"machine"} Group */

const BARE_NAME = /^[^.[\]"=!<>~\s]([^.[\]"=!<>~]*[^.[\]"=!<>~\s])?$/u;
const BARE_FILE = /^[^\]"\s]([^\]]*[^\]\s])?$/u;
const QUOTED = /"(?:[^"\\]|\\.)*"/suy;
const BARE_NAME_AT = /[^.[\]"=!<>~]+/uy;
const BARE_FILE_AT = /[^\]]+/uy;
const MAX_DEPTH = 32;

/** Keys of what every experiment has. */
export const FACTS = ["name", "status", "step", "created", "updated", "message", "client", "delivery"];

/**
 * @param {Group} group
 * @param {string|null} file Null for facts and machine.
 * @param {string[]} names
 */
export function keyOf(group, file, names) {
  if (group === "facts") return names[0];
  const written = names.map((name) => `.${BARE_NAME.test(name) ? name : JSON.stringify(name)}`).join("");
  if (file === null) return group + written;
  return `${group}[${BARE_FILE.test(file) ? file : JSON.stringify(file)}]${written}`;
}

/** @returns {{group: Group, file: string|null, names: string[]}|null} Null: the text is no key. */
export function partsOf(key) {
  const word = /^[a-z]+/.exec(key)?.[0] ?? "";
  if (word === key) return FACTS.includes(key) ? { group: "facts", file: null, names: [key] } : null;
  if (!["metrics", "params", "files", "machine"].includes(word)) return null;
  let at = word.length;
  let file = null;
  const names = [];
  if (key[at] === "[") {
    const found = wordAt(key, at + 1, BARE_FILE_AT);
    if (found === null || key[found.end] !== "]") return null;
    file = found.text;
    at = found.end + 1;
  }
  while (key[at] === ".") {
    const found = wordAt(key, at + 1, BARE_NAME_AT);
    if (found === null) return null;
    names.push(found.text);
    at = found.end;
  }
  return at === key.length ? { group: word, file, names } : null;
}

/**
 * @param {object} experiment As the API tells it.
 * @returns {Map<string, number|string|boolean>} Leaves by key; lists as their JSON text, null left out.
 */
export function cellsOf(experiment) {
  const cells = new Map();
  for (const group of ["metrics", "params"]) {
    for (const [file, content] of Object.entries(experiment[group] ?? {})) addLeaves(cells, group, file, content, []);
  }
  addLeaves(cells, "machine", null, experiment.machine ?? {}, []);
  return cells;
}

/** The name of the series that draws a metric: its names joined by "/"; null for what is no metric. */
export function seriesNameOf(key) {
  const parts = partsOf(key);
  return parts?.group === "metrics" && parts.names.length ? parts.names.join("/") : null;
}

const WORDS = new Map([
  ["nan", NaN],
  ["inf", Infinity],
  ["+inf", Infinity],
  ["infinity", Infinity],
  ["+infinity", Infinity],
  ["-inf", -Infinity],
  ["-infinity", -Infinity],
]);
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** @returns {number|null} A value as a number, also of texts that read as one ("nan", "1e-3"); null: it is none. */
export function asNumber(value) {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value !== "string") return null;
  const lower = value.trim().toLowerCase();
  return WORDS.get(lower) ?? (NUMBER.test(lower) ? Number(lower) : null);
}

function addLeaves(cells, group, file, content, names) {
  if (content === null || content === undefined) return;
  if (typeof content === "object" && !Array.isArray(content)) {
    if (names.length === MAX_DEPTH) return;
    for (const [name, value] of Object.entries(content)) addLeaves(cells, group, file, value, [...names, name]);
  } else if (names.length) {
    cells.set(keyOf(group, file, names), Array.isArray(content) ? JSON.stringify(content) : content);
  }
}

function wordAt(text, at, bare) {
  QUOTED.lastIndex = at;
  const quoted = QUOTED.exec(text);
  if (quoted) {
    try {
      return { text: JSON.parse(quoted[0]), end: QUOTED.lastIndex };
    } catch {
      return null;
    }
  }
  if (text[at] === '"') return null;
  bare.lastIndex = at;
  const found = bare.exec(text);
  return found ? { text: found[0].trim(), end: bare.lastIndex } : null;
}
