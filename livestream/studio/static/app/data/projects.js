// The projects, and the Git history of the one that is looked at.

import { computed, effect, signal, untracked } from "../lib.js";
import { get, isPassing } from "./api.js";
import { onChange, onReset } from "./feed.js";
import { rows, scope } from "./experiments.js";

const REFRESH_MS = 30_000;
const SOON_MS = 500;
const RETRY_MS = 4_000;

/** @type {import("../lib.js").Signal<object[]|null>} By name; null: not read yet. */
export const projects = signal(null);
/** @type {import("../lib.js").Signal<object|null>} Of the view's project; null: none is chosen, or not read yet. */
export const history = signal(null);

let soon = 0;
let retryTimer = 0;

/** Begin: history follows the view's project, new experiments and, now and then, the repository itself. */
export function start() {
  const wanted = computed(() => scope.value.project);
  const newest = computed(() => rows.value.reduce((most, row) => Math.max(most, row.id), 0));
  effect(() => {
    wanted.value;
    history.value = null;
    untracked(reloadHistory);
  });
  effect(() => {
    newest.value;
    later();
  });
  onChange((change) => change.experiment === 0 && untracked(reloadProjects));
  onReset(reloadProjects);
  setInterval(() => document.hidden || reloadHistory(), REFRESH_MS);
  return reloadProjects();
}

/** Read the projects anew; until they could be read once, it is tried again and again. Never throws. */
export async function reloadProjects() {
  clearTimeout(retryTimer);
  try {
    projects.value = (await get("api/projects")).projects;
  } catch (error) {
    if (isPassing(error)) retryTimer = setTimeout(reloadProjects, RETRY_MS);
    else projects.value ??= [];
  }
}

async function reloadHistory() {
  const { project } = scope.value;
  if (project === null) return;
  try {
    const found = await get(`api/projects/${project}/commits`);
    if (scope.value.project === project) history.value = found;
  } catch {
    // the table then groups by what the rows themselves say
  }
}

function later() {
  clearTimeout(soon);
  soon = setTimeout(reloadHistory, SOON_MS);
}
