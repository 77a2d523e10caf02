// What can be done with experiments of the table: choosing them, comparing, plotting, deleting. The view keeps the
// choice, so that it is in the address; new experiments never change it.

import { toggled } from "../core/rows_tree.js";
import { address } from "../data/api.js";
import { remove, restore, rowsById } from "../data/experiments.js";
import { go } from "../data/route.js";
import { changeView, view } from "../data/view.js";
import { copyText, toast } from "../parts/index.js";
import { arranged, cursor } from "./arranged.js";

/** Experiments that the compare page holds side by side. */
export const MOST_COMPARED = 7;

/** @param {number[]} ids */
export function select(ids) {
  changeView({ selected: ids });
}

/** @param {number} id */
export function toggleSelected(id) {
  const { selected } = view.value;
  select(selected.includes(id) ? selected.filter((one) => one !== id) : [...selected, id]);
  anchor = id;
}

let anchor = null;

/** All from the last one that was chosen to this one, beside what is chosen. */
export function selectTo(id) {
  const ids = arranged.value.shown.map((row) => row.id);
  const [from, to] = [ids.indexOf(anchor), ids.indexOf(id)].sort((one, other) => one - other);
  if (from < 0) return toggleSelected(id);
  select([...new Set([...view.value.selected, ...ids.slice(from, to + 1)])]);
  return undefined;
}

/** Choose nothing; what shows only the chosen ones shows all again. */
export function clearSelection() {
  const scope = view.value.scope === "selected" ? "all" : view.value.scope;
  changeView({ selected: [], scope }, { step: true });
}

/** @param {number|null} id */
export function setBaseline(id) {
  changeView({ baseline: id, delta: id === null ? false : view.value.delta }, { step: true });
}

/** @param {number} id */
export function toggleBaseline(id) {
  setBaseline(view.value.baseline === id ? null : id);
}

/** Differences need a baseline: the experiment at the cursor, or the first that is chosen, becomes one. */
export function toggleDelta() {
  const { baseline, delta, selected } = view.value;
  const chosen = baseline ?? idAtCursor() ?? selected[0] ?? null;
  if (chosen === null) toast("Choose a baseline first: select an experiment and press b");
  else changeView({ baseline: chosen, delta: !delta }, { step: true });
}

/** Fold or unfold. @param {string} key Of the line. */
export function toggleGroup(key) {
  changeView({ closed: toggled(view.value.closed, key) });
}

/** @param {"live"|"selected"|"deleted"} scope */
export function toggleScope(scope) {
  changeView({ scope: view.value.scope === scope ? "all" : scope }, { step: true });
}

/** @param {number[]} ids */
export function compare(ids) {
  if (ids.length < 2) toast("Select two experiments or more to compare them");
  else if (ids.length > MOST_COMPARED) toast(`At most ${MOST_COMPARED} experiments can be compared at once`);
  else go(`compare?${ids.map((id) => `id=${id}`).join("&")}`);
}

/** Draw these and no others. */
export function plotOnly(ids) {
  const layout = view.value.layout === "table" ? "both" : view.value.layout;
  changeView({ selected: ids, layout }, { step: true });
}

/** Go to the page of an experiment. @param {number} id */
export function open(id) {
  go(`experiments/${id}`);
}

/** @returns {number|null} The experiment that the keyboard is on. */
export function idAtCursor() {
  const match = /^experiment:(\d+)$/.exec(cursor.value?.line ?? "");
  return match ? Number(match[1]) : null;
}

/** @param {number} id */
export async function copyLink(id) {
  say(await copyText(address(`experiments/${id}`).href), "Link copied");
}

/** @param {string} name */
export async function copyName(name) {
  say(await copyText(name), "Name copied");
}

function say(done, words) {
  toast(done ? words : "The browser did not allow copying", { kind: done ? "note" : "bad" });
}

// -- deleting

const MOST_NAME = 60;

/** Delete at once, and offer to undo it. */
export async function deleteExperiments(ids) {
  const { selected, baseline } = view.value;
  const what = wordsFor(ids);
  await tried(async () => {
    await remove(ids);
    changeView({
      selected: selected.filter((id) => !ids.includes(id)),
      baseline: ids.includes(baseline) ? null : baseline,
      delta: ids.includes(baseline) ? false : view.value.delta,
    });
    const undo = async () => {
      await restoreExperiments(ids, { quiet: true });
      const again = selected.filter((id) => ids.includes(id) && !view.value.selected.includes(id));
      changeView({ selected: [...view.value.selected, ...again], baseline: view.value.baseline ?? baseline });
    };
    toast(`Deleted ${what}`, { action: "Undo", onAction: undo });
  });
}

/** @param {number[]} ids @param {{quiet?: boolean}} how `quiet`: say nothing where it worked. */
export async function restoreExperiments(ids, { quiet = false } = {}) {
  const what = wordsFor(ids);
  await tried(async () => {
    await restore(ids);
    if (!quiet) toast(`Restored ${what}`, { kind: "good" });
  });
}

function wordsFor(ids) {
  if (ids.length !== 1) return `${ids.length} experiments`;
  const name = rowsById.value.get(ids[0])?.name ?? "1 experiment";
  return name.length > MOST_NAME ? `${name.slice(0, MOST_NAME)}…` : name;
}

async function tried(act) {
  try {
    await act();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}
