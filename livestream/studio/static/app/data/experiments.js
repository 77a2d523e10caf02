// The experiments that the view is about, live: read page by page, then kept up by the feed.
//
// A change of data says which leaves are new and is applied as it stands; any other change (a status, a beat, one read
// back after a break) names its experiment, which is then asked for, many at once. Changes are applied ten times a second
// at most: the first after a quiet time at once, those that follow together, so that the page draws once for all of them.
//
// Reading takes several requests. What changes meanwhile is asked for once more at the end, and an answer that was asked
// for before a reading began is dropped: it may be of another scope, and the reading will have it.

import { differences, tellsAll, withCells, withChange } from "../core/changes.js";
import { batch, computed, effect, signal, untracked } from "../lib.js";
import { get, isPassing, send } from "./api.js";
import { follow, onChange, onReset } from "./feed.js";
import { route } from "./route.js";
import { rowWithFiles, watchFiles } from "./row_files.js";
import { view } from "./view.js";

const FIRST_PAGE = 100;
const PAGE = 1_000;
/** The newest so many are read; older ones are not shown. */
export const MAX_LOADED = 10_000;
const GATHER_MS = 100;
const ASK_MS = 400;
const REFRESH_MS = 5_000;
const RETRY_MS = 4_000;
const MAX_IDS = 400;
const CHANGED_MS = 3_000;
/** Pages without rows of their own: the table's stay while one is open, so that the way back reads nothing. */
const KEEPS_ROWS = /^(experiments\/|compare$|settings$)/;

/** @type {import("../lib.js").Signal<object[]>} Newest first. */
export const rows = signal([]);
/** By id. */
export const rowsById = computed(() => new Map(rows.value.map((row) => [row.id, row])));
/** Keys of all columns that any row has; replaced when one comes. */
export const keys = signal(new Set());
/** @type {import("../lib.js").Signal<{phase: "loading"|"ready"|"failed", loaded: number, total: number, error: string}>} */
export const state = signal({ phase: "loading", loaded: 0, total: 0, error: "" });
/** Cells that changed within CHANGED_MS: when, by key, by id. */
export const changed = signal(new Map());

let serverAhead = 0;
let keptScope = null;
let shownScope = null;
let loading = null;
let retryTimer = 0;
let missed = null;
let gathered = [];
let gatherTimer = 0;
let appliedAt = -Infinity;
let fadeTimer = 0;
const asked = new Set();
let askTimer = 0;
const stale = new Set();

/** The server's clock, in seconds since the epoch. */
export function now() {
  return Date.now() / 1000 + serverAhead;
}

/**
 * What the rows are of; the same object as long as it is the same.
 * @type {import("../lib.js").Signal<{project: number|null, isDeleted: boolean}>}
 */
export const scope = computed(() => {
  const { project, scope: which } = view.value;
  const isDeleted = which === "deleted";
  const isKept = keptScope !== null && KEEPS_ROWS.test(route.value.path);
  const isSame = keptScope?.project === project && keptScope.isDeleted === isDeleted;
  if (!isKept && !isSame) keptScope = { project, isDeleted };
  return keptScope;
});

/** Begin; the rows follow the view's project and scope from then on. */
export function start() {
  effect(() => {
    scope.value;
    untracked(reload);
  });
  onChange(gather);
  onReset(reload);
  watchFiles(putCells);
  setInterval(refresh, REFRESH_MS);
}

/** Read everything anew; rows that are shown stay until the new ones are there. Never throws. */
export async function reload() {
  loading?.abort();
  clearTimeout(retryTimer);
  const mine = (loading = new AbortController());
  const wanted = scope.value;
  const query = { ...scopeQuery(), limit: FIRST_PAGE };
  missed = new Set();
  const isOther = () => shownScope !== wanted;
  const phase = rows.value.length && !isOther() ? "ready" : "loading";
  if (state.value.phase !== "failed") state.value = { ...state.value, phase }; // else it is said until it worked
  try {
    const found = [];
    for (let total = 1; found.length < Math.min(total, MAX_LOADED); ) {
      const page = await get("api/experiments", { ...query, offset: found.length }, { signal: mine.signal });
      found.push(...page.experiments.map(rowWithFiles));
      total = page.experiments.length ? page.total : found.length;
      serverAhead = page.now - Date.now() / 1000;
      query.limit = PAGE;
      follow(page.change);
      const isWhole = found.length >= Math.min(total, MAX_LOADED);
      if (!isWhole && !isOther() && rows.value.length >= found.length) continue;
      batch(() => {
        if (isOther()) keys.value = new Set();
        shownScope = wanted;
        show([...new Map(found.map((row) => [row.id, row])).values()], total);
      });
    }
    askSoon(missed, ASK_MS);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (isOther()) rows.value = []; // better none than those of another scope
    state.value = { ...state.value, phase: "failed", error: error.message };
    if (isPassing(error)) retryTimer = setTimeout(reload, RETRY_MS);
  }
  missed = null;
}

/** Delete experiments; they leave the page when the Studio has done it. */
export async function remove(ids) {
  await Promise.all(ids.map((id) => send("DELETE", `api/experiments/${id}`)));
  leave(new Set(ids));
}

/** Undo a deletion. */
export async function restore(ids) {
  await Promise.all(ids.map((id) => send("POST", `api/experiments/${id}/restore`)));
  if (scope.value.isDeleted) leave(new Set(ids));
  else await ask(ids);
}

function scopeQuery() {
  const { project, isDeleted } = scope.value;
  return { project, deleted: isDeleted || undefined };
}

function leave(ids) {
  const left = rows.value.filter((row) => !ids.has(row.id));
  show(left, state.value.total - (rows.value.length - left.length));
}

function show(next, total) {
  batch(() => {
    rows.value = next;
    addKeys(next);
    state.value = { phase: "ready", loaded: next.length, total: Math.max(total, next.length), error: "" };
  });
}

function addKeys(from) {
  const known = keys.value;
  let more = null;
  for (const row of from) {
    for (const key of row.cells.keys()) {
      if (!known.has(key)) (more ??= new Set(known)).add(key);
    }
  }
  if (more) keys.value = more;
}

// -- what the feed tells

function gather(change) {
  if (change.experiment === 0) return;
  gathered.push(change);
  gatherTimer ||= setTimeout(apply, appliedAt + GATHER_MS - performance.now()); // at once after a quiet time
}

function apply() {
  gatherTimer = 0;
  appliedAt = performance.now();
  const changes = gathered;
  gathered = [];
  const byId = rowsById.value;
  const next = new Map();
  const marks = new Map();
  for (const change of changes) {
    const id = change.experiment;
    missed?.add(id);
    const row = next.get(id) ?? byId.get(id);
    if (change.kind === "deleted" || change.kind === "restored" || !row || !tellsAll(change)) {
      asked.add(id);
      continue;
    }
    const made = withChange(row, change);
    next.set(id, made.row);
    stale.add(id);
    for (const key of made.keys) (marks.get(id) ?? marks.set(id, new Set()).get(id)).add(key);
  }
  if (next.size) put(next, marks);
  if (asked.size) askSoon([], ASK_MS);
}

function askSoon(ids, waitMs) {
  for (const id of ids) asked.add(id);
  if (asked.size) askTimer ||= setTimeout(askGathered, waitMs);
}

function askGathered() {
  askTimer = 0;
  const ids = [...asked];
  asked.clear();
  ask(ids);
}

/** Reasons and delivery change with every update, and no change tells them: what was updated is read again in a while. */
function refresh() {
  if (document.hidden || !stale.size) return;
  const ids = [...stale];
  stale.clear();
  ask(ids);
}

/** Read some experiments anew; one that is not in the answer has left the scope. Never throws. */
async function ask(ids) {
  const options = { signal: loading?.signal };
  for (let at = 0; at < ids.length; at += MAX_IDS) {
    const some = ids.slice(at, at + MAX_IDS);
    try {
      const page = await get("api/experiments", { ...scopeQuery(), id: some, limit: some.length }, options);
      serverAhead = page.now - Date.now() / 1000;
      merge(some, page.experiments.map(rowWithFiles));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (isPassing(error)) askSoon(some, RETRY_MS); // else the scope is no more, and only another view helps
    }
  }
}

function merge(ids, found) {
  const byId = rowsById.value;
  const there = new Set(found.map((row) => row.id));
  const gone = ids.filter((id) => !there.has(id) && byId.has(id));
  const fresh = found.filter((row) => !byId.has(row.id));
  const next = new Map();
  const marks = new Map();
  for (const row of found) {
    const before = byId.get(row.id);
    if (!before) continue;
    next.set(row.id, row);
    const differing = differences(before, row);
    if (differing.length) marks.set(row.id, new Set(differing));
  }
  batch(() => {
    if (next.size) put(next, marks);
    if (gone.length) leave(new Set(gone));
    if (fresh.length) {
      const all = [...fresh, ...rows.value].sort((one, other) => other.created - one.created || other.id - one.id);
      show(all, state.value.total + fresh.length);
    }
  });
}

function put(next, marks) {
  batch(() => {
    rows.value = rows.value.map((row) => next.get(row.id) ?? row);
    addKeys(next.values());
    mark(marks);
  });
}

function putCells(cells) {
  const next = new Map();
  for (const [id, entries] of cells) {
    const before = rowsById.value.get(id);
    const row = before && withCells(before, entries);
    if (row !== before) next.set(id, row);
  }
  if (next.size) put(next, new Map());
}

// -- what flashes

function mark(marks) {
  if (!marks.size) return;
  const time = performance.now();
  const all = faded(time);
  for (const [id, ids] of marks) {
    const cells = new Map(all.get(id));
    for (const key of ids) cells.set(key, time);
    all.set(id, cells);
  }
  changed.value = all;
  fadeTimer ||= setTimeout(fade, CHANGED_MS);
}

function fade() {
  fadeTimer = 0;
  const left = faded(performance.now());
  changed.value = left;
  if (left.size) fadeTimer = setTimeout(fade, CHANGED_MS);
}

function faded(time) {
  const left = new Map();
  for (const [id, cells] of changed.value) {
    const recent = [...cells].filter(([, at]) => time - at < CHANGED_MS);
    if (recent.length) left.set(id, recent.length === cells.size ? cells : new Map(recent));
  }
  return left;
}
