// The filters of the table: how many there are, and clearing them.

import { changeView, view } from "../data/view.js";
import { computed } from "../lib.js";

/** Whether anything keeps rows out. */
export const isFiltered = computed(() => {
  const { query, filters, paused, statuses, scope } = view.value;
  return query !== "" || statuses.length > 0 || scope !== "all" || filters.some((one) => !paused.includes(one));
});

/** Take all of them away; the conditions of the filter menu stay, paused, so that they can be taken up again. */
export function clearFilters() {
  const { filters, scope } = view.value;
  changeView(
    { query: "", statuses: [], paused: filters, scope: scope === "deleted" ? scope : "all" },
    { step: true },
  );
}

/** @param {string} text A condition. */
export function addFilter(text) {
  const { filters, paused } = view.value;
  changeView(
    { filters: filters.includes(text) ? filters : [...filters, text], paused: paused.filter((one) => one !== text) },
    { step: true },
  );
}

/** @param {string} text A condition. */
export function removeFilter(text) {
  const { filters, paused } = view.value;
  changeView(
    { filters: filters.filter((one) => one !== text), paused: paused.filter((one) => one !== text) },
    { step: true },
  );
}

/** Stop a filter for now, or apply it again. */
export function pauseFilter(text) {
  const { paused } = view.value;
  changeView(
    { paused: paused.includes(text) ? paused.filter((one) => one !== text) : [...paused, text] },
    { step: true },
  );
}

/** Show only this status too, or no longer. @param {string} kind */
export function toggleStatus(kind) {
  const { statuses } = view.value;
  changeView(
    { statuses: statuses.includes(kind) ? statuses.filter((one) => one !== kind) : [...statuses, kind] },
    { step: true },
  );
}
