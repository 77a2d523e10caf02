// A grid with made-up runs and a view of its own, for tests and looks: `window.stage` moves it.

import { bestByKey } from "./app/core/compare.js";
import { columnsOf } from "./app/core/columns.js";
import { createArranger } from "./app/core/rows.js";
import { toggled } from "./app/core/rows_tree.js";
import { defaultView } from "./app/core/view.js";
import { changed } from "./app/data/experiments.js";
import { computed, html, render, signal } from "./app/lib.js";
import { startTheme } from "./app/parts/theme.js";
import { ColumnsMenu } from "./app/table/columns_menu.js";
import { Grid } from "./app/table/grid.js";

const given = new URLSearchParams(location.search);
const RUNS = Number(given.get("runs") ?? 1500);
const METRICS = Number(given.get("metrics") ?? 120);
const PARAMS = Number(given.get("params") ?? 80);
const KINDS = ["completed", "running", "failed", "completed", "stalled", "completed", "silent", "completed_with_gaps"];
const WORDS = ["swift", "amber", "quiet", "lunar", "brisk", "hazel", "royal", "tidal"];
const SPLITS = ["train", "eval", "test"];
const NOW = Date.now() / 1000;

let seed = 7;
function random() {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
}

function metricKey(at) {
  if (at >= METRICS - 4) return `metrics[dvclive/metrics.json].system.cpu.${["usage", "count", "ram", "load"][METRICS - 1 - at]}`;
  return `metrics[dvclive/metrics.json].${SPLITS[at % 3]}.${["loss", "acc", "f1", "auc"][Math.floor(at / 3) % 4]}${at < 12 ? "" : Math.floor(at / 12)}`;
}

function paramKey(at) {
  const file = at % 9 === 8 ? "conf/data.yaml" : "params.yaml";
  return `params[${file}].${["optimizer", "model", "data"][at % 3]}.${["lr", "name", "width", "depth"][Math.floor(at / 3) % 4]}${at < 12 ? "" : Math.floor(at / 12)}`;
}

function rowOf(id) {
  const cells = new Map();
  for (let at = 0; at < METRICS; at += 1) {
    if (random() < 0.04) continue;
    cells.set(metricKey(at), random() < 0.01 ? "nan" : Math.round(random() * 1e5) / 1e5);
  }
  for (let at = 0; at < PARAMS; at += 1) {
    const isText = Math.floor(at / 3) % 4 === 1;
    cells.set(paramKey(at), isText ? ["adamw", "sgd", "lion with a long description"][id % 3] : [0.001, 0.0003, 256, 512][(id + at) % 4]);
  }
  cells.set("machine.cpu.count", 8 + (id % 4) * 8);
  const kind = KINDS[id % KINDS.length];
  const commit = { sha: String(Math.floor(id / 12)).padStart(40, "a"), short: String(Math.floor(id / 12)).padStart(7, "a"), message: `Tune the schedule, part ${Math.floor(id / 12)}`, author: "Ada Byron", time: NOW - id * 400, branches: ["main"], parents: [], email_hash: "" };
  return {
    id,
    name: given.has("hostile") && id === RUNS ? `<img src=x onerror=alert(1)>\u202e__proto__` : `${WORDS[id % 8]}-${WORDS[(id * 5 + 3) % 8]}-${id}`,
    repo_url: "", repository: "github.com/octo/iris", baseline_sha: commit.sha, subdir: "",
    status: { kind, reason: "told so", since: NOW - 60 },
    delivery: { behind_s: 0, backlog_rows: 0, backlog_bytes: 0, missing_events: 0, gaps: [], losses: {}, writers: 1, beating: 1, heard: NOW },
    step: 100 + id, session: 1, created: NOW - id * 400 - 3600, updated: NOW - id * 37, started: null, done: null, deleted: null,
    message: id % 3 ? null : "try a wider head", clients: ["dvclive"], errors: [], warnings: [], machine: {}, env: {}, extra: {},
    experiment_rev: null, references: [], commit, projects: [1], cells,
  };
}

const rows = signal(Array.from({ length: RUNS }, (_, at) => rowOf(RUNS - at)));
const keys = signal(new Set(rows.value.flatMap((row, at) => (at < 50 ? [...row.cells.keys()] : []))));
const view = signal({ ...defaultView(), project: 1, grouping: given.get("rows") ?? "flat" });
const cursor = signal(null);
const arrange = createArranger();
const history = { branches: [{ name: "main", head: "", default: true, merged: false, more: 0, commits: [...new Map(rows.value.map((row) => [row.baseline_sha, { baseline_sha: row.baseline_sha, commit: row.commit, experiments: [], references: [] }])).values()] }], detached: [], more: 0, attached: true };
const arranged = computed(() => arrange({ rows: rows.value, view: view.value, keys: keys.value, history: given.get("rows") ? history : null, projects: null }));
const lines = computed(() => arranged.value.lines);
const wishes = computed(() => JSON.stringify([view.value.hidden, view.value.order, view.value.pinned]));
const columns = computed(() => {
  const [hidden, order, pinned] = JSON.parse(wishes.value);
  return columnsOf(keys.value, { hidden, order, pinned });
});
const baseline = computed(() => rows.value.find(({ id }) => id === view.value.baseline) ?? null);
const goals = computed(() => JSON.stringify(view.value.goals));
const best = computed(() => bestByKey(goals.value === "{}" ? [] : rows.value, JSON.parse(goals.value)));
const told = [];
const change = (fields) => {
  view.value = { ...view.value, ...fields };
};
const onSelect = ({ row }) => {
  const { selected } = view.value;
  change({ selected: selected.includes(row.id) ? selected.filter((id) => id !== row.id) : [...selected, row.id] });
};
const onToggle = (line) => change({ closed: toggled(view.value.closed, line.key) });
const onOpen = (line) => told.push(["open", line.key]);
const onRowMenu = (line) => told.push(["menu", line.key]);
const onFilter = (key) => told.push(["filter", key]);

function App() {
  return html`<section class="project-table" aria-label="Experiments">
    <div style=${{ padding: "8px 12px", display: "flex", justifyContent: "flex-end" }}><${ColumnsMenu} columns=${columns.value} view=${view.value} onChange=${change} /></div>
    <${Grid} lines=${lines.value} columns=${columns.value} view=${view.value} baseline=${baseline.value} best=${best.value} cursor=${cursor} onChange=${change} onSelect=${onSelect} onToggle=${onToggle} onOpen=${onOpen} onRowMenu=${onRowMenu} onFilter=${onFilter} label="Experiments" />
  </section>`;
}

/** Another value in some cells, as the feed tells it. */
function update(changes) {
  const time = performance.now();
  const marks = new Map(changed.value);
  const fresh = new Map();
  for (const [id, key, value] of changes) {
    const before = fresh.get(id) ?? rows.value.find((row) => row.id === id);
    const cells = new Map(before.cells).set(key, value);
    fresh.set(id, { ...before, cells });
    marks.set(id, new Map(marks.get(id)).set(key, time));
  }
  rows.value = rows.value.map((row) => fresh.get(row.id) ?? row);
  changed.value = marks;
}

function insert(count) {
  const first = rows.value.reduce((most, row) => Math.max(most, row.id), 0) + 1;
  rows.value = [...Array.from({ length: count }, (_, at) => rowOf(first + count - 1 - at)), ...rows.value];
}

startTheme();
const began = performance.now();
render(html`<${App} />`, document.getElementById("app"));
requestAnimationFrame(() => setTimeout(() => (window.painted = performance.now() - began), 0));
window.stage = { rows, view, columns, cursor, told, update, insert, change, metricKey, paramKey, keys };
