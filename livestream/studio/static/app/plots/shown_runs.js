// The runs whose images and whole plots are shown: those of the pane, but for those that its legend has switched off.

import { muted, runs } from "./model.js";

/**
 * @param {(number|{id: number, name: string})[]} experiments Ids of the pane's runs, or rows.
 * @returns {{id: number, name: string}[]}
 */
export function shownRuns(experiments) {
  const known = new Map(runs.value.map((run) => [run.id, run]));
  const runOf = (id) => known.get(id) ?? { id, name: `#${id}` };
  const named = experiments.map((one) => (typeof one === "number" ? runOf(one) : one));
  return named.filter((run) => !muted.value.has(String(run.id)));
}
