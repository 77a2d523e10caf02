// Which colour a run has now: by what is shown together with it (core/colours.js), and so the same in every corner.

import { colourOfSlot, preferredSlot, slotsOf } from "../core/colours.js";
import { computed, signal } from "../lib.js";
import { view } from "./view.js";

/** Ids that a page compares by itself; null: the view's selection counts. */
export const compared = signal(null);
/** Ids that are drawn where nothing is selected. */
export const unasked = signal([]);

const slots = computed(() => {
  const { selected } = view.value;
  return slotsOf(compared.value ?? (selected.length ? selected : unasked.value));
});

/** @param {number} id Of the experiment. @returns {number} Its slot; a signal is read. */
export function slotOf(id) {
  return slots.value.get(id) ?? preferredSlot(id);
}

/** @param {number} id Of the experiment. @param {boolean} isDark @returns {string} A CSS colour. */
export function runColour(id, isDark) {
  return colourOfSlot(slotOf(id), isDark);
}
