// The charts that visible cards show: asked for in few requests, kept, and followed while runs go on.
//
// A card says what it shows (run, metric, part, fineness); what is missing by the end of the task is asked for then.
// News of a run asks only for the rows after the last that is here, at most twice a second and not while the tab is
// hidden. Once such a tail is half as long as what it was put to, the whole comes anew, so that a chart stays as coarse
// as its card. What nobody shows is kept for a while, and asked anew when it is shown again after news.

import { tellsAll } from "../core/changes.js";
import { readChart, withTail } from "../core/series.js";
import { get, isPassing } from "./api.js";
import { finderOf, isAskable, requests } from "./chart_requests.js";
import { onChange, onReset } from "./feed.js";

const TAIL_MS = 500;
const LATE_MS = 3_000;
const RETRY_MS = 3_000;
const MAX_OPEN = 4;
const MAX_KEPT = 800;
const TAIL_POINTS = 500;

/**
 * @typedef {object} Want
 * @property {number} experiment
 * @property {string} name
 * @property {number|null} from First step; null: the start.
 * @property {number|null} to Last step, included.
 * @property {number} points At most so many.
 */

/**
 * @typedef {object} Entry
 * @property {Want} want
 * @property {import("../core/series.js").Chart|null} chart
 * @property {"new"|"asked"|"ready"|"missing"|"failed"} phase
 * @property {string} error
 */

const entries = new Map();
const byExperiment = new Map();
const origins = new Map();
let gatherTimer = 0;
let tailTimer = 0;
let tailAt = 0;
let open = 0;

/** How fine a chart for so many pixels of a screen is: a few steps, so that a resized card finds what is here. */
export function pointsFor(devicePixels) {
  let points = 250;
  while (points < devicePixels / 2 && points < 4000) points *= 2;
  return points;
}

/**
 * Follow some charts.
 * @param {() => void} listener Called when any of them changed.
 * @returns {{want: (wants: Want[]) => Entry[], stop: () => void}} `want` says what is shown from now on and gives what
 *   is known of each; call `stop` when nothing is shown any more.
 */
export function followCharts(listener) {
  let mine = new Set();
  const want = (wants) => {
    const found = wants.map(entryOf);
    const next = new Set(found);
    for (const entry of mine) if (!next.has(entry)) entry.listeners.delete(listener);
    for (const entry of next) {
      entry.listeners.add(listener);
      if (entry.phase === "new" || entry.isStale) gather();
    }
    mine = next;
    return found;
  };
  return { want, stop: () => want([]) };
}

/** When a run began: the earliest time in what is known of it, in seconds since the epoch. */
export function originOf(experiment) {
  return origins.get(experiment) ?? 0;
}

function entryOf(want) {
  const key = JSON.stringify([want.experiment, want.from, want.to, want.points, want.name]);
  let entry = entries.get(key);
  if (entry) {
    entries.delete(key); // to the end: what is used last is dropped last
  } else {
    entry = newEntry(key, want);
    if (!byExperiment.has(want.experiment)) byExperiment.set(want.experiment, new Set());
    byExperiment.get(want.experiment).add(entry);
  }
  entries.set(key, entry);
  return entry;
}

function newEntry(key, want) {
  const isFine = isAskable(want.name);
  const [phase, error] = isFine ? ["new", ""] : ["failed", "The name is too long to ask for"];
  const state = { chart: null, phase, error, base: 0, wholeAt: 0 };
  return { key, want, ...state, listeners: new Set(), isStale: false, wantsTail: false, mayBeLate: false };
}

function dropOld() {
  for (const entry of entries.values()) {
    if (entries.size <= MAX_KEPT) return;
    if (entry.listeners.size || entry.phase === "asked") continue;
    entries.delete(entry.key);
    byExperiment.get(entry.want.experiment).delete(entry);
  }
}

// -- asking

function gather() {
  gatherTimer ||= setTimeout(askMissing); // all cards that became visible in this task are heard by then
}

function askMissing() {
  gatherTimer = 0;
  const isMissing = ({ phase, isStale }) => phase === "new" || (isStale && phase !== "asked");
  const wanted = [...entries.values()].filter(
    (entry) => entry.listeners.size && isMissing(entry) && isAskable(entry.want.name),
  );
  for (const request of requests(wanted)) {
    if (open >= MAX_OPEN) return; // the next answer comes here again
    askWhole(request);
  }
}

async function askWhole({ query, asked }) {
  for (const entry of asked) [entry.phase, entry.isStale, entry.wantsTail] = ["asked", false, false];
  open += 1;
  try {
    const { charts } = await get("api/charts", query);
    const find = finderOf(charts);
    for (const entry of asked) take(entry, find(entry.want));
  } catch (error) {
    for (const entry of asked) fail(entry, error);
  }
  open -= 1;
  dropOld();
  tell(asked);
  gather();
  if (asked.some((entry) => entry.wantsTail)) scheduleTails();
}

function take(entry, answer) {
  if (!answer) {
    [entry.phase, entry.chart, entry.error] = ["missing", null, ""];
    return;
  }
  entry.chart = readChart(answer);
  [entry.phase, entry.error] = ["ready", ""];
  entry.base = entry.chart.steps.length;
  entry.wholeAt = performance.now();
  if (entry.want.from !== null || !entry.base) return;
  const origin = entry.chart.times.reduce((one, other) => Math.min(one, other), Infinity);
  if (!(origins.get(entry.want.experiment) <= origin)) origins.set(entry.want.experiment, origin);
}

/** What is shown already stays; where nothing answered it is tried again. */
function fail(entry, error) {
  entry.phase = entry.chart ? "ready" : "failed";
  entry.error = error.message;
  if (isPassing(error)) askAgain(entry, RETRY_MS);
}

function askAgain(entry, waitMs) {
  setTimeout(() => {
    entry.isStale = true;
    gather();
  }, waitMs);
}

function tell(changedEntries) {
  const listeners = new Set();
  for (const entry of changedEntries) for (const listener of entry.listeners) listeners.add(listener);
  for (const listener of listeners) listener();
}

// -- following

function hear(change) {
  if (change.kind !== "data") return;
  const mine = byExperiment.get(change.experiment);
  if (!mine) return;
  const isTold = tellsAll(change);
  const paths = new Set(change.plots ?? []);
  if (isTold && !paths.size) return;
  for (const entry of mine) mark(entry, !isTold || paths.has(entry.chart?.path), change.step === undefined && isTold);
  scheduleTails();
}

function mark(entry, isMeant, isLate) {
  if (entry.phase === "missing" || entry.phase === "failed") entry.isStale = true;
  else if (entry.phase === "asked") entry.wantsTail = true;
  else if (!isMeant || entry.phase === "new") return;
  else if (!entry.listeners.size) entry.isStale = true;
  else {
    entry.wantsTail = true;
    entry.mayBeLate ||= isLate;
  }
}

function scheduleTails() {
  tailTimer ||= setTimeout(askTails, Math.max(0, tailAt + TAIL_MS - performance.now()));
}

function askTails() {
  tailTimer = 0;
  if (document.hidden) return; // it begins again when somebody looks
  tailAt = performance.now();
  const tails = [];
  for (const entry of entries.values()) {
    if (!entry.wantsTail || entry.phase === "asked") continue;
    entry.wantsTail = false;
    if (!entry.chart || entry.want.from !== null || !entry.listeners.size) entry.isStale = true;
    else tails.push(entry);
  }
  for (const request of requests(tails, TAIL_POINTS)) askTail(request);
  gather();
}

async function askTail({ query, asked }) {
  try {
    const { charts } = await get("api/charts", query);
    const find = finderOf(charts);
    for (const entry of asked) takeTail(entry, find(entry.want));
    tell(asked);
  } catch {
    for (const entry of asked) entry.wantsTail = true;
    setTimeout(scheduleTails, RETRY_MS); // the news that asked for it may have been the last
  }
}

function takeTail(entry, answer) {
  if (!answer || entry.phase !== "ready") return;
  const next = withTail(entry.chart, readChart(answer));
  const isLate = next === entry.chart && entry.mayBeLate; // nothing at the end: rows came late, before it
  entry.mayBeLate = false;
  entry.chart = next;
  if (isLate) askAgain(entry, Math.max(0, entry.wholeAt + LATE_MS - performance.now()));
  if (next.steps.length <= 1.5 * Math.max(entry.base, entry.want.points / 2)) return;
  entry.isStale = true;
  gather();
}

function startAfresh() {
  for (const entry of entries.values()) entry.isStale = true;
  gather();
}

onChange(hear);
onReset(startAfresh);
document.addEventListener("visibilitychange", () => document.hidden || scheduleTails());
