// The table as it stands now: the lines to draw, and what of the view the table asks for again and again. Each is as
// narrow as can be, so that a part draws only when what it shows has changed.

import { columnsOf } from "../core/columns.js";
import { bestByKey } from "../core/compare.js";
import { createArranger } from "../core/rows.js";
import { keys, rows, rowsById } from "../data/experiments.js";
import { history, projects } from "../data/projects.js";
import { view } from "../data/view.js";
import { computed, signal } from "../lib.js";

const arrange = createArranger();

/** @type {import("../lib.js").Signal<import("../core/rows.js").Arrangement>} */
export const arranged = computed(() =>
  arrange({
    rows: rows.value,
    view: view.value,
    keys: keys.value,
    history: history.value,
    projects: projects.value,
  }),
);

/** @type {import("../lib.js").Signal<import("../core/rows.js").Line[]>} */
export const lines = computed(() => arranged.value.lines);

/**
 * What the keyboard's cursor is on; setting it brings it into sight (grid.js).
 * @type {import("../lib.js").Signal<{line: string|null, column: string, level: number}|null>}
 */
export const cursor = signal(null);

const selectedText = computed(() => JSON.stringify(view.value.selected));

/** @type {import("../lib.js").Signal<Set<number>>} Another one only when the selection is another. */
export const selected = computed(() => new Set(JSON.parse(selectedText.value)));

const baselineId = computed(() => view.value.baseline);

/** The row that others are compared with; null: none, or it is not loaded. */
export const baseline = computed(() => {
  const id = baselineId.value;
  return id === null ? null : (rowsById.value.get(id) ?? null);
});

const wishes = computed(() => {
  const { hidden, order, pinned } = view.value;
  return JSON.stringify({ hidden, order, pinned });
});

/** @type {import("../lib.js").Signal<import("../core/columns.js").Columns>} */
export const columns = computed(() => columnsOf(keys.value, JSON.parse(wishes.value)));

const goalsText = computed(() => JSON.stringify(Object.entries(view.value.goals)));

/** The best number by key, of the columns with a goal, among the rows that are shown. */
export const best = computed(() => {
  const goals = Object.fromEntries(JSON.parse(goalsText.value));
  return bestByKey(Object.keys(goals).length ? arranged.value.shown : [], goals);
});
