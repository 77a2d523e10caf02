// What the pane shows, out of the view and the rows: which runs, in which colours, which metrics in which sections.

import { rowOf } from "../core/changes.js";
import { shorten } from "../core/format.js";
import { computed, signal } from "../lib.js";
import { runColour, unasked } from "../data/colours.js";
import { rows, rowsById, scope, state } from "../data/experiments.js";
import { changeView, view } from "../data/view.js";
import { isDark } from "../parts/index.js";

const NEWEST = 5;
const MAX_RUNS = 50;
const LABEL_LETTERS = 34;
/** The section of the machine's own metrics. */
export const SYSTEM = "system";

/**
 * @typedef {object} Run
 * @property {number} id
 * @property {string} name Whole.
 * @property {string} label Short.
 * @property {string} colour
 * @property {string} group Value of the param that runs are grouped by; "" where there is none.
 */

/** The newest runs at the time when the pane opened: what comes later does not push them out. */
const opened = signal({ scope: null, ids: [] });
/** The experiments of a page that shows some by itself, as rows; null: the view's. */
const given = signal(null);
/** Key of the line that is pointed at: everywhere the others step back. */
export const highlighted = signal(null);
/** Keys of lines that are hidden by a click in the legend, until the pane is left. */
export const muted = signal(new Set());
/** Grows when colours must be read anew. */
export const paint = signal(0);
addEventListener("theme", () => (paint.value = paint.peek() + 1));

/** @param {object[]|null} experiments As the API tells them; null: the view's. */
export function give(experiments) {
  given.value = experiments && experiments.map((one) => (one.cells ? one : rowOf(one)));
}

/** Remember what is newest now, unless that was done for this scope. */
export function openNewest() {
  if (opened.value.scope === scope.value || state.value.phase !== "ready") return;
  opened.value = { scope: scope.value, ids: rows.value.slice(0, NEWEST).map((row) => row.id) };
  unasked.value = opened.value.ids;
}

/** @returns {{ids: number[], isAuto: boolean, left: number}} `left`: selected runs that are too many to draw. */
export const chosen = steady(() => {
  const { selected } = view.value;
  if (given.value) return { ids: given.value.map((row) => row.id).slice(0, MAX_RUNS), isAuto: false, left: 0 };
  if (!selected.length) return { ids: opened.value.ids, isAuto: true, left: 0 };
  return { ids: selected.slice(0, MAX_RUNS), isAuto: false, left: Math.max(0, selected.length - MAX_RUNS) };
});

/** @type {import("../lib.js").Signal<Run[]>} */
export const runs = steady(() => {
  paint.value;
  const isNight = isDark();
  const key = view.value.group;
  return chosen.value.ids.map((id) => {
    const row = rowsById.value.get(id) ?? given.value?.find((one) => one.id === id);
    const name = row?.name ?? `#${id}`;
    const value = key ? row?.cells.get(key) : undefined;
    const group = value === undefined || value === null ? "" : String(value);
    return { id, name, label: shorten(name, LABEL_LETTERS), colour: runColour(id, isNight), group };
  });
});

/**
 * What one line stands for: a run, or all runs with the same value of the param.
 * @type {import("../lib.js").Signal<{key: string, label: string, name: string, colour: string, ids: number[]}[]>}
 */
export const keysOfLines = steady(() => {
  if (!view.value.group) {
    return runs.value.map(({ id, label, name, colour }) => ({ key: String(id), label, name, colour, ids: [id] }));
  }
  const groups = new Map();
  for (const run of runs.value) {
    if (!groups.has(run.group)) groups.set(run.group, []);
    groups.get(run.group).push(run);
  }
  return [...groups].map(([group, members]) => {
    const name = `${group || "none"} (${members.length === 1 ? "1 run" : `${members.length} runs`})`;
    const ids = members.map((run) => run.id);
    return { key: `=${group}`, label: shorten(name, LABEL_LETTERS), name, colour: members[0].colour, ids };
  });
});

/** A computed signal that tells only what differs: rows change many times a second, their names hardly ever. */
function steady(compute) {
  let last;
  let text = "";
  return computed(() => {
    const next = compute();
    const written = JSON.stringify(next);
    if (written !== text) [last, text] = [next, written];
    return last;
  });
}

// -- sections

/** @returns {string} The section of a metric: what stands before its first slash. */
function prefixOf(name) {
  const slash = name.indexOf("/");
  return slash > 0 ? name.slice(0, slash) : "";
}

/**
 * @param {{name: string}[]} list
 * @param {string} search A regular expression, or else plain text.
 * @param {string[]} favourites
 * @returns {{key: string, title: string, names: string[]}[]} Pinned first, ungrouped late, the machine's last.
 */
export function sectionsOf(list, search, favourites) {
  const matches = matcher(search);
  const names = list.map((series) => series.name).filter(matches);
  const there = new Set(names);
  const groups = new Map();
  for (const name of names) {
    const prefix = prefixOf(name);
    if (!groups.has(prefix)) groups.set(prefix, []);
    groups.get(prefix).push(name);
  }
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const rank = (key) => (key === SYSTEM ? 2 : key === "" ? 1 : 0);
  const keys = [...groups.keys()].sort((one, other) => rank(one) - rank(other) || order(one, other));
  const alone = keys.every((key) => key === "" || key === SYSTEM) ? "Metrics" : "Ungrouped";
  const sections = keys.map((key) => ({ key, title: key || alone, names: groups.get(key).sort(order) }));
  const pinned = favourites.filter((name) => there.has(name));
  return pinned.length ? [{ key: "*pinned", title: "Pinned", names: pinned }, ...sections] : sections;
}

/** What makes a pattern slow without bound: a repeated group, or a reference back. An address may hold any pattern. */
const RISKY = /\)[*+?{]|\\[1-9k]/u;
const MAX_PATTERN = 200;

/** A regular expression, or the plain text where it is none or could take for ever. @returns {(name: string) => boolean} */
export function matcher(search) {
  const text = search.trim();
  if (!text) return () => true;
  const lower = text.toLowerCase();
  const plain = (name) => name.toLowerCase().includes(lower);
  if (text.length > MAX_PATTERN || RISKY.test(text)) return plain;
  try {
    const pattern = new RegExp(text, "iu");
    return (name) => pattern.test(name);
  } catch {
    return plain;
  }
}

/** Zoom a plot, or (null) show all of it. */
export function zoomTo(name, range) {
  const zoom = Object.fromEntries(Object.entries(view.value.zoom).filter(([one]) => one !== name));
  changeView({ zoom: range ? { ...zoom, [name]: rounded(range) } : zoom }, { step: true });
}

/** To a thousandth of what is seen: nobody drags more exactly, and the address stays short. */
function rounded([low, high]) {
  const unit = 10 ** Math.floor(Math.log10((high - low) / 1000));
  return [low, high].map((value) => Number((Math.round(value / unit) * unit).toPrecision(15)));
}

/** @returns {[number, number]|null} */
export function zoomOf(name) {
  return Object.hasOwn(view.value.zoom, name) ? view.value.zoom[name] : null;
}
