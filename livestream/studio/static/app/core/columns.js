// From the keys of cells to the columns of the table: which there are, in which order, and under which headers.
//
// A column is a key; its groups follow from the key alone: kind > file > name > name > leaf. The head draws them in two
// rows over the leaf, for height is dear: the kind with its file, and the names between, joined by dots. The order is
// total and, without any wish, depends on the set of keys only: facts, metrics (the machine's own, `system`, last),
// params, files, machine, more facts; within each by file, then name by name, a leaf before what lies deeper, digits as
// numbers. So columns never jump when values change, and two people who see the same runs see the same table.
//
// Wishes are small, because they stand in the address:
//   hidden  keys or prefixes: "params[params.yaml].optimizer" hides all below it, also what comes later.
//   order   pairs: a key or prefix, and the key that it stands before ("end": none), replayed one after the other.
//   pinned  keys, in their order.
//   widths  pixels by key.
// A wish about a column that is not there waits until it is.
//
// Headers are runs: neighbours with the same header share it, so that any order has a sane header. Placing columns on
// the canvas (`place`) is a step of its own, for it depends on the room that there is and a drag changes it often.

import { FACTS, keyOf, partsOf } from "./cells.js";

/**
 * @typedef {"facts"|"metrics"|"params"|"files"|"machine"} Kind
 *
 * @typedef {object} Header A header above columns.
 * @property {string} key The prefix of all keys below it.
 * @property {string} label
 * @property {string} hint Said softly beside the label: the file.
 *
 * @typedef {object} Column
 * @property {string} key
 * @property {Kind} kind
 * @property {string} label The leaf's own name.
 * @property {Header[]} groups All that it lies below, the widest first.
 * @property {Header[]} path What of them stands above it in the head.
 *
 * @typedef {object} Columns
 * @property {Column[]} all Every column, hidden ones too, in the order without wishes.
 * @property {Column[]} pinned Those that stay at the left, the name and the status first.
 * @property {Column[]} free The others that are shown, in their order.
 * @property {Set<string>} hidden Keys of `all` that are not shown.
 *
 * @typedef {Column & {left: number, width: number, index: number, style: {left: string, width: string}}} Placed
 *
 * @typedef {object} Segment A header over neighbours.
 * @property {string} key
 * @property {string} label
 * @property {string} hint
 * @property {Kind} kind
 * @property {number} level 0: the outermost.
 * @property {number} first Index of its first column within its side, `last` of its last.
 * @property {number} last
 * @property {number} left
 * @property {number} width
 *
 * @typedef {object} Side
 * @property {Placed[]} columns
 * @property {Segment[][]} segments By level.
 * @property {number} width
 *
 * @typedef {{frozen: Side, free: Side, levels: number, width: number}} Layout Pixels; `levels` of headers above leaves.
 */

/** Before nothing: behind all others. */
export const END = "end";
/** The column that is always there, at the left. */
export const NAME = "name";
const FROZEN_FACTS = [NAME, "status"];
const FIRST_FACTS = ["name", "status", "step", "updated", "delivery"];
const LAST_FACTS = FACTS.filter((fact) => !FIRST_FACTS.includes(fact));
const KINDS = ["facts", "metrics", "params", "files", "machine"];
const TITLES = { metrics: "Metrics", params: "Params", files: "Files", machine: "Machine" };
const MORE = { key: "more", label: "More", hint: "" };
const MORE_RANK = KINDS.length;
const SYSTEM = "system";

const FACT_LABELS = {
  name: "Experiment",
  status: "Status",
  step: "Step",
  updated: "Updated",
  delivery: "Delivery",
  created: "Created",
  message: "Message",
  client: "Client",
};
const FACT_WIDTHS = {
  name: 256,
  status: 196,
  step: 72,
  updated: 104,
  delivery: 190,
  created: 112,
  message: 220,
  client: 96,
};
const NARROW_FACT_WIDTHS = { name: 232, status: 132, step: 60, updated: 84, delivery: 132 };
const WIDTHS = { metrics: 120, params: 104, files: 112, machine: 128, facts: 120 };
const WIDEST_LABEL = 168;
const LETTER_PX = 7.2;
const LABEL_EXTRA_PX = 40;
/** Pixels. */
export const LEAST_WIDTH = 48;
/** Pixels. */
export const MOST_WIDTH = 900;
const LEAST_NAME_WIDTH = 160;
const NARROW_BELOW = 900;
const MOST_FROZEN_SHARE = 0.6;

const byText = new Intl.Collator("en", { numeric: true });

/**
 * The columns of a set of keys, with what was wished of them.
 *
 * @param {Iterable<string>} keys Of cells; the facts need not be among them.
 * @param {{hidden?: string[], order?: string[], pinned?: string[]}} wishes Fields of the view.
 * @returns {Columns}
 */
export function columnsOf(keys, { hidden = [], order = [], pinned = [] } = {}) {
  const all = allColumns(keys);
  const concealed = new Set(
    all.filter(({ key }) => key !== NAME && hidden.some((prefix) => isBelow(prefix, key))).map(({ key }) => key),
  );
  const shown = moved(all, order).filter((column) => !concealed.has(column.key));
  const byKey = new Map(shown.map((column) => [column.key, column]));
  const kept = [...new Set([...FROZEN_FACTS, ...pinned])].filter((key) => byKey.has(key));
  const keptKeys = new Set(kept);
  return {
    all,
    pinned: kept.map((key) => byKey.get(key)),
    free: shown.filter((column) => !keptKeys.has(column.key)),
    hidden: concealed,
  };
}

/** Whether a key is the prefix itself or lies below it. */
export function isBelow(prefix, key) {
  if (prefix === MORE.key) return LAST_FACTS.includes(key);
  if (!key.startsWith(prefix)) return false;
  return key.length === prefix.length || key[prefix.length] === "." || key[prefix.length] === "[";
}

/** Whether a column always stays at the left, so that pinning it means nothing. */
export function isAlwaysPinned(key) {
  return FROZEN_FACTS.includes(key);
}

/** One more move on top of the others; an earlier move of the same thing is forgotten. */
export function withMove(order, subject, before) {
  const kept = [];
  for (let at = 0; at + 1 < order.length; at += 2) {
    if (order[at] !== subject) kept.push(order[at], order[at + 1]);
  }
  return [...kept, subject, before];
}

// -- which there are

function allColumns(keys) {
  const parsed = new Map(FACTS.map((fact) => [fact, { group: "facts", file: null, names: [fact] }]));
  for (const key of keys) {
    const parts = parsed.has(key) ? null : partsOf(key);
    if (parts) parsed.set(key, parts);
  }
  const files = new Map(KINDS.map((kind) => [kind, new Set()]));
  for (const { group, file } of parsed.values()) files.get(group).add(file);
  const entries = [...parsed].map(([key, parts]) => ({ key, parts, rank: rankOf(key, parts) }));
  entries.sort(compare);
  return entries.map(({ key, parts }) => columnOf(key, parts, files.get(parts.group)));
}

function rankOf(key, { group, names }) {
  if (group === "facts") return LAST_FACTS.includes(key) ? MORE_RANK : 0;
  return KINDS.indexOf(group) + (group === "metrics" && names[0] === SYSTEM ? 0.5 : 0);
}

function compare(one, other) {
  if (one.rank !== other.rank) return one.rank - other.rank;
  if (one.parts.group === "facts") return factIndex(one.key) - factIndex(other.key);
  return compareTexts(one.parts.file ?? "", other.parts.file ?? "") || comparePaths(one.parts.names, other.parts.names);
}

function factIndex(key) {
  return [...FIRST_FACTS, ...LAST_FACTS].indexOf(key);
}

function comparePaths(one, other) {
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) {
    const isLeaf = [at === one.length - 1, at === other.length - 1];
    if (isLeaf[0] !== isLeaf[1]) return isLeaf[0] ? -1 : 1;
    const found = compareTexts(one[at], other[at]);
    if (found) return found;
  }
  return one.length - other.length;
}

/** As people sort; texts that only look equal still have an order. */
function compareTexts(one, other) {
  return byText.compare(one, other) || (one < other ? -1 : one > other ? 1 : 0);
}

function columnOf(key, { group, file, names }, files) {
  if (group === "facts") {
    const path = LAST_FACTS.includes(key) ? [MORE] : [];
    return { key, kind: "facts", label: FACT_LABELS[key], groups: path, path };
  }
  const above = names.slice(0, -1);
  const isSplit = files.size > 1 && names.length > 0;
  const title = TITLES[group];
  const hint = names.length ? (file ?? "") : "";
  const top = { key: isSplit ? keyOf(group, file, []) : group, label: title, hint };
  const groups = isSplit ? [{ key: group, label: title, hint: "" }, { key: top.key, label: file, hint: "" }] : [top];
  above.forEach((name, at) => groups.push({ key: keyOf(group, file, above.slice(0, at + 1)), label: name, hint: "" }));
  const path = above.length ? [top, { key: groups.at(-1).key, label: above.join("."), hint: "" }] : [top];
  return { key, kind: group, label: names.at(-1) ?? nameOf(file ?? group), groups, path };
}

/** The last part of a file's path; the whole of it is in the head's title. */
function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}

function moved(columns, order) {
  let result = columns;
  for (let at = 0; at + 1 < order.length; at += 2) result = movedOnce(result, order[at], order[at + 1]);
  return result;
}

function movedOnce(columns, subject, before) {
  const moving = columns.filter(({ key }) => isBelow(subject, key));
  if (!moving.length) return columns;
  const rest = columns.filter(({ key }) => !isBelow(subject, key));
  const at = before === END ? rest.length : rest.findIndex(({ key }) => key === before);
  return at < 0 ? columns : [...rest.slice(0, at), ...moving, ...rest.slice(at)];
}

// -- where they stand

/**
 * Place columns on the canvas.
 *
 * @param {Columns} columns
 * @param {Object<string, number>} widths Pixels by key.
 * @param {number} room Pixels of the window upon it. Where it is narrow only the name stays at the left.
 * @returns {Layout}
 */
export function place(columns, widths, room) {
  const isNarrow = room < NARROW_BELOW;
  let used = 0;
  let kept = 0;
  for (const column of columns.pinned) {
    used += widthOf(column, widths, isNarrow);
    if (kept > 0 && (isNarrow || used > room * MOST_FROZEN_SHARE)) break;
    kept += 1;
  }
  const frozen = sideOf(columns.pinned.slice(0, kept), widths, 0, isNarrow);
  const free = sideOf([...columns.pinned.slice(kept), ...columns.free], widths, frozen.width, isNarrow);
  const levels = Math.max(frozen.segments.length, free.segments.length);
  return { frozen, free, levels, width: frozen.width + free.width };
}

/** @returns {number} Pixels. */
function widthOf(column, widths, isNarrow) {
  const wished = Object.hasOwn(widths, column.key) ? widths[column.key] : null;
  const fact = (isNarrow && NARROW_FACT_WIDTHS[column.key]) || FACT_WIDTHS[column.key];
  if (column.key === NAME) return Math.max(LEAST_NAME_WIDTH, wished ?? fact);
  if (wished !== null) return Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, wished));
  if (column.kind === "facts") return fact ?? WIDTHS.facts;
  const needed = Math.round(column.label.length * LETTER_PX + LABEL_EXTRA_PX);
  return Math.max(WIDTHS[column.kind], Math.min(WIDEST_LABEL, needed));
}

function sideOf(columns, widths, start, isNarrow) {
  let left = start;
  const placed = columns.map((column, index) => {
    const width = widthOf(column, widths, isNarrow);
    const one = { ...column, index, left, width, style: { left: `${left}px`, width: `${width}px` } };
    left += width;
    return one;
  });
  return { columns: placed, segments: segmentsOf(placed), width: left - start };
}

function segmentsOf(placed) {
  const depth = Math.max(0, ...placed.map(({ path }) => path.length));
  return Array.from({ length: depth }, (_, level) => {
    const segments = [];
    for (const column of placed) {
      const header = column.path[level];
      const before = segments.at(-1);
      if (header && before?.key === header.key && before.last === column.index - 1) {
        before.last = column.index;
        before.width += column.width;
      } else if (header) {
        const { index, kind, left, width } = column;
        segments.push({ ...header, kind, level, first: index, last: index, left, width });
      }
    }
    return segments;
  });
}
