// From all experiments to the lines of the table: which are shown, in which order, under which branch and commit.
//
// Rows are immutable, so what was judged of a row holds until it is replaced or another question is asked. A
// *judgement* is two things: which of the filters the row passes, and the ranks that the sorts compare. When new rows
// come, only those that were replaced are judged; where no judgement differs, neither order nor tree can differ, and the
// lines are kept but for the rows in them. `structure` says so: it is another number only where lines may have come,
// gone or moved.

import { readerOf, columnReader, isLeafColumn } from "./held.js";
import { keyFrom } from "./query.js";
import { compareAll, holds, rankOf, sameRank } from "./query_judge.js";
import { parseQuery, readFilter } from "./query_mixed.js";
import { fold } from "./query_values.js";
import { linesOf } from "./rows_tree.js";
import { LIVE } from "./statuses.js";

/**
 * @typedef {{sha: string, short: string, message: string, author: string, time: number|null, known: boolean}} Commit
 *
 * @typedef {object} Line
 * @property {"branch"|"commit"|"detached"|"project"|"experiment"} type
 * @property {string} key Of this line alone: `experiment:12`, `commit:SHA`, `branch:NAME`, `detached`,
 *   `project:REPOSITORY`.
 * @property {number} depth 0 at the left.
 * @property {object|null} row Of an experiment.
 * @property {Commit|null} commit Of a commit's line and of its experiments.
 * @property {{name: string, isDefault: boolean, merged: boolean, more: number}|null} branch Of a branch's line.
 * @property {{name: string, repository: string, id: number|null}|null} project Of a project's line.
 * @property {number} count Experiments below it that pass the filters.
 * @property {number} hidden Those that do not.
 * @property {boolean} open Whether what is below is shown.
 *
 * @typedef {object} Arrangement
 * @property {Line[]} lines
 * @property {object[]} shown Rows that pass, in the order of the table, those in folded groups too.
 * @property {number} total Rows of the scope's beginnings: all, or the deleted ones.
 * @property {number} live How many of them are live.
 * @property {Map<string, number>} statuses How many of each status pass all other filters.
 * @property {number} idle Commits without experiments that are not shown.
 * @property {{at: number, message: string, source: string}[]} problems Conditions that could not be read.
 * @property {number} structure Another one where lines came, went, moved, folded or were counted anew.
 */

const PASSES_SCOPE = 1;
const PASSES_STATUS = 2;
const PASSES_QUERY = 4;
const PASSES_ALL = 7;

/**
 * @typedef {object} Input
 * @property {object[]} rows Newest first.
 * @property {import("./view.js").View} view
 * @property {Set<string>} keys Of all columns.
 * @property {object|null} history Of the view's project.
 * @property {object[]|null} projects
 */

/**
 * Make a function that arranges rows and remembers what it can use the next time.
 * @returns {(input: Input) => Arrangement}
 */
export function createArranger() {
  let last = null;
  return (input) => {
    last = arrange(input, last);
    return last.arrangement;
  };
}

function arrange(input, last) {
  const plan = planOf(input, last?.plan);
  const isSameQuestion = last?.plan === plan;
  const isUntouched = isSameQuestion && last.input.rows === input.rows;
  const judged = isUntouched ? last.judged : judgeAll(input.rows, plan, isSameQuestion ? last.judged : null);
  const tree = treeKey(input);
  const isSameTree = last !== null && same(tree, last.tree);
  const isSame = isSameQuestion && isSameTree && (isUntouched || judged.isSame);
  if (isSame && isUntouched) return { ...last, input };
  const arrangement = isSame ? withRows(last.arrangement, judged, plan) : build(input, judged, plan, last);
  return { input, plan, judged, tree, arrangement };
}

// -- the question

/** What is asked of every row; the same object as before where nothing in it changed. */
function planOf({ rows, view, keys }, before) {
  const filters = view.filters.filter((text) => !view.paused.includes(text));
  const isSelected = view.scope === "selected";
  const asked = [view.scope, view.statuses, view.query, filters, view.sort, view.baseline, isSelected && view.selected];
  const text = JSON.stringify(asked);
  const baseline = view.baseline === null ? null : (rows.find((row) => row.id === view.baseline) ?? null);
  const read = before?.text === text ? before.read : readAll(view, filters);
  const isOld = before?.text === text && before.keys === keys && (!read.hasDelta || before.baseline === baseline);
  return isOld ? before : makePlan({ view, keys, baseline, read, text });
}

function readAll(view, filters) {
  const query = parseQuery(view.query);
  const conditions = [...query.conditions];
  const problems = query.problems.map((problem) => ({ ...problem, source: "" }));
  for (const filter of filters) {
    const { condition, problem } = readFilter(filter);
    if (condition) conditions.push(condition);
    else problems.push({ ...problem, source: filter });
  }
  const sorts = view.sort.map(({ key, falling }) => ({ column: key, key: keyFrom(key), falling }));
  const all = [...conditions.map((condition) => condition.key), ...sorts.map((sort) => sort.key)];
  return {
    words: query.words.map(fold),
    conditions,
    sorts,
    problems,
    hasDelta: all.some((key) => key?.of === "delta"),
  };
}

function makePlan({ view, keys, baseline, read, text }) {
  const conditions = read.conditions.map((condition) => {
    const held = readerOf(condition.key, keys, baseline);
    return (row) => holds(condition, held(row));
  });
  const ranks = read.sorts.map(({ column, key }) => {
    if (key === null) return (row) => rankOf(columnReader(column)(row), isLeafColumn(column));
    const held = readerOf(key, keys, baseline);
    return (row) => rankOf(held(row)[0] ?? null, key.kind === "leaf" && key.of === null);
  });
  const statuses = new Set(view.statuses);
  const selected = new Set(view.selected);
  return {
    text,
    keys,
    baseline,
    read,
    ranks,
    isInScope: scopeOf(view.scope, selected),
    hasStatus: (row) => statuses.size === 0 || statuses.has(row.status.kind),
    passes: (row) => hasWords(row, read.words) && conditions.every((passes) => passes(row)),
    isDeleted: view.scope === "deleted",
  };
}

function scopeOf(scope, selected) {
  if (scope === "live") return (row) => LIVE.has(row.status.kind);
  if (scope === "selected") return (row) => selected.has(row.id);
  return () => true;
}

/** Each word stands in the name, message, commit, repository or folder; case does not count. */
function hasWords(row, words) {
  if (words.length === 0) return true;
  const places = fold([row.name, row.message ?? "", row.baseline_sha, row.repository, row.subdir].join("\n"));
  return words.every((word) => places.includes(word));
}

// -- the judgement

function judgeAll(rows, plan, before) {
  const states = new Array(rows.length);
  let isSame = before !== null && before.rows.length === rows.length;
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at];
    const old = before?.rows[at] === row ? before.states[at] : before?.byRow.get(row);
    const state = old ?? judge(row, plan);
    states[at] = state;
    if (!isSame || before.rows[at] === row) continue;
    isSame = before.rows[at].id === row.id && sameState(before.states[at], state);
  }
  const byRow = new Map(rows.map((row, at) => [row, states[at]]));
  return { rows, states, byRow, isSame };
}

function judge(row, plan) {
  let flags = 0;
  if (plan.isInScope(row)) flags += PASSES_SCOPE;
  if (plan.hasStatus(row)) flags += PASSES_STATUS;
  if (plan.passes(row)) flags += PASSES_QUERY;
  return { flags, isOut: (row.deleted !== null) !== plan.isDeleted, ranks: plan.ranks.map((rank) => rank(row)) };
}

function sameState(one, other) {
  if (one.flags !== other.flags || one.isOut !== other.isOut) return false;
  return one.ranks.every((rank, at) => sameRank(rank, other.ranks[at]));
}

// -- the answer

function build(input, judged, plan, last) {
  const { states } = judged;
  const items = [];
  const all = [];
  judged.rows.forEach((row, at) => {
    if (states[at].isOut) return;
    all.push(row);
    if (states[at].flags === PASSES_ALL) items.push({ row, ranks: states[at].ranks });
  });
  if (plan.read.sorts.length) items.sort((one, other) => compareAll(one.ranks, other.ranks, plan.read.sorts));
  const tree = linesOf({ all, shown: items.map(({ row }) => row), ...input });
  return {
    ...tree,
    ...counts(judged),
    problems: plan.read.problems,
    structure: (last?.arrangement.structure ?? 0) + 1,
  };
}

/** The same lines with the rows of now; a line whose row did not change stays the same object. */
function withRows(arrangement, judged) {
  const byId = new Map(judged.rows.map((row) => [row.id, row]));
  const now = (row) => byId.get(row.id);
  const lines = arrangement.lines.map((line) => {
    const row = line.row && now(line.row);
    return row === line.row ? line : { ...line, row };
  });
  return { ...arrangement, ...counts(judged), lines, shown: arrangement.shown.map(now) };
}

function counts({ rows, states }) {
  let total = 0;
  let live = 0;
  const statuses = new Map();
  rows.forEach((row, at) => {
    const { flags, isOut } = states[at];
    if (isOut) return;
    const { kind } = row.status;
    total += 1;
    if (LIVE.has(kind)) live += 1;
    if ((flags | PASSES_STATUS) === PASSES_ALL) statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
  });
  return { total, live, statuses };
}

/** What of the view shapes the tree beside the order of rows. */
function treeKey({ view, history, projects }) {
  return [view.project, view.grouping, view.commits, view.scope, view.closed, history, projects];
}

function same(some, others) {
  return some.every((value, at) => value === others[at]);
}
