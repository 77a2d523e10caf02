// From the charts that are wanted to few requests: each asks for some runs times some metrics, within the API's bounds.

const MAX_CHARTS = 500;
const MAX_RUNS = 100;
const MAX_LETTERS = 5_000;
const MAX_NAME = 1_000;
const MAX_NAME_LETTERS = 4_000;
const NEAR_STEPS = 200;

/** Whether a name is one that the API takes, and fits into an address. */
export function isAskable(name) {
  return name.length <= MAX_NAME && lettersOf(name) <= MAX_NAME_LETTERS;
}

function lettersOf(name) {
  return new URLSearchParams([["name", name]]).toString().length + 1;
}

/**
 * @param {import("./charts.js").Entry[]} wanted
 * @param {number|null} tailPoints Ask only for what comes after each one's last step, in so many points; null: for all.
 * @returns {{query: object, asked: import("./charts.js").Entry[]}[]}
 */
export function requests(wanted, tailPoints = null) {
  const alike = new Map();
  for (const run of byRun(wanted, tailPoints)) {
    const names = [...run.entries.keys()].sort();
    const key = JSON.stringify([run.from, run.to, run.points, names]);
    if (!alike.has(key)) alike.set(key, { ...run, names, runs: [] });
    alike.get(key).runs.push(run);
  }
  return [...alike.values()].flatMap(cut);
}

/**
 * @param {object[]} charts As an answer has them.
 * @returns {(want: import("./charts.js").Want) => object|undefined} Finds the one of a run and a name.
 */
export function finderOf(charts) {
  const found = new Map();
  for (const chart of charts) {
    if (!found.has(chart.experiment)) found.set(chart.experiment, new Map());
    const mine = found.get(chart.experiment);
    // two plots of a run can have one name: the longer one is shown
    if (!(mine.get(chart.name)?.total > chart.total)) mine.set(chart.name, chart);
  }
  return ({ experiment, name }) => found.get(experiment)?.get(name);
}

/** What is wanted of each run, apart by part and fineness; tails that begin near each other begin together. */
function byRun(wanted, tailPoints) {
  const found = new Map();
  for (const entry of wanted) {
    const { experiment, from, to, points, name } = entry.want;
    const key = tailPoints ? `${experiment}` : `${experiment} ${from} ${to} ${points}`;
    if (!found.has(key)) found.set(key, { experiment, from, to, points: tailPoints ?? points, entries: new Map() });
    const run = found.get(key);
    if (tailPoints) run.from = Math.min(run.from ?? Infinity, entry.chart.steps.at(-1) ?? 0);
    if (!run.entries.has(name)) run.entries.set(name, []);
    run.entries.get(name).push(entry);
  }
  const runs = [...found.values()];
  if (!tailPoints) return runs;
  runs.sort((one, other) => one.from - other.from);
  let start = -Infinity;
  for (const run of runs) {
    if (run.from - start > NEAR_STEPS) start = run.from;
    run.from = start;
  }
  return runs;
}

/** Cut runs times names into pieces that one address holds. */
function cut({ from, to, points, names, runs }) {
  const made = [];
  for (let at = 0; at < runs.length; at += MAX_RUNS) {
    const some = runs.slice(at, at + MAX_RUNS);
    for (const part of pieces(names, Math.floor(MAX_CHARTS / some.length))) {
      made.push({
        query: { experiment: some.map((run) => run.experiment), name: part, points, from, to },
        asked: some.flatMap((run) => part.flatMap((name) => run.entries.get(name))),
      });
    }
  }
  return made;
}

function* pieces(names, most) {
  let piece = [];
  let letters = 0;
  for (const name of names) {
    const size = lettersOf(name);
    if (piece.length && (piece.length >= most || letters + size > MAX_LETTERS)) {
      yield piece;
      [piece, letters] = [[], 0];
    }
    piece.push(name);
    letters += size;
  }
  if (piece.length) yield piece;
}
