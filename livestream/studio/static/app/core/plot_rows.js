// A plot that a client sent whole, read: from rows and props of anybody's making to a plot of our own shape.
//
// Theory. Rows are objects with any keys and values, props say how they are meant (template, x, y, title, labels), and
// both are foreign. Vega is a language with fields, expressions and addresses in it, so nothing foreign may become a
// word of it: each template's rows are turned here into rows with fixed fields (run, line, x, y, n, share, order), and
// what is foreign is left only as data and as plain text. What Vega would have to guess (types, sums, the order of
// classes, how much to draw) is decided here too, on all rows, before any are left out.

import { categoriesOf, matrixOf, pointsOf } from "./plot_shapes.js";
import { csvText } from "./csv.js";
import { columnsOf, labelsOf, plain, rowsOf, valueAt } from "./plot_values.js";
import { plural } from "./format.js";

/** The templates of DVC that can be drawn here. */
export const TEMPLATES = [
  "simple",
  "linear",
  "smooth",
  "scatter",
  "scatter_jitter",
  "confusion",
  "confusion_normalized",
  "bar_horizontal",
  "bar_horizontal_sorted",
];

const TABLE_ROWS = 20;
const MAX_LINES = 8;

/**
 * @typedef {object} Sent What one run sent for a plot.
 * @property {number} id Of the experiment.
 * @property {string} label
 * @property {object} props
 * @property {*} rows
 */

/**
 * @typedef {object} Plot
 * @property {string} kind One of TEMPLATES, "table" or "empty".
 * @property {string} title
 * @property {string} xTitle
 * @property {string} yTitle
 * @property {"number"|"text"} xType
 * @property {"number"|"text"} yType
 * @property {{id: number, label: string}[]} runs Those that have rows; labels differ.
 * @property {string[]} lines Names of the columns that are drawn over x, where there are several.
 * @property {object[]} rows With the fields run, line, x, y and more by kind.
 * @property {number} size Classes, categories, or points of the longest line.
 * @property {boolean} diagonal Whether the way from (0, 0) to (1, 1) means something: chance, or perfect calibration.
 * @property {string[]} notes What the viewer should know about it.
 * @property {{columns: string[], rows: string[][]}|null} table
 */

/**
 * @param {string} path
 * @param {Sent[]} sent
 * @returns {Plot}
 */
export function readPlot(path, sent) {
  const labels = labelsOf(sent.map((run) => run.label));
  const runs = sent.map((run, index) => ({ ...run, label: labels[index], rows: rowsOf(run.rows) }));
  const notes = [];
  for (const run of runs) {
    const error = run.props?.error;
    if (!error || typeof error !== "object") continue;
    notes.push(plain(`${run.label}: ${textOf(error.cls)} ${textOf(error.text)}`, 300));
  }
  const filled = runs.filter((run) => run.rows.length > 0);
  const first = filled[0] ?? runs[0];
  const base = { title: titleOf(path, first?.props ?? {}), xTitle: "", yTitle: "", xType: "number", yType: "number" };
  const empty = { ...base, kind: "empty", runs: [], lines: [], rows: [], size: 0, diagonal: false, notes, table: null };
  if (filled.length === 0) return empty;

  const columns = columnsOf(first.rows);
  const meant = meaningOf(first.props, columns, notes);
  const named = { ...empty, runs: filled.map(({ id, label }) => ({ id, label })) };
  const drawn = meant === null ? null : drawnOf(meant, filled, columns, notes);
  if (drawn === null || drawn.rows.length === 0) {
    if (meant !== null) notes.push("There is nothing to draw in these columns.");
    return { ...named, kind: "table", table: tableOf(filled, [...columns.keys()], notes) };
  }
  return {
    ...named,
    ...drawn,
    kind: meant.kind,
    xTitle: plain(textOf(first.props.x_label) || drawn.xTitle || meant.x, 120),
    yTitle: plain(textOf(first.props.y_label) || drawn.yTitle || meant.y.join(", "), 120),
    diagonal: isDiagonal(meant),
  };
}

/**
 * @param {Sent[]} sent
 * @returns {string} All rows of the runs as CSV, with every column that any of them has.
 */
export function rowsCsv(sent) {
  const runs = sent.map(({ label, rows }) => ({ label, rows: rowsOf(rows) }));
  const columns = [...new Set(runs.flatMap((run) => run.rows.flatMap((row) => Object.keys(row))))];
  const lines = [["run", ...columns]];
  for (const { label, rows } of runs) {
    for (const row of rows) lines.push([label, ...columns.map((name) => valueAt(row, name))]);
  }
  return csvText(lines);
}

/** What the rows mean: template, column of x, columns of y. Null where they can only be listed. */
function meaningOf(props, columns, notes) {
  const asked = templateOf(props.template, notes);
  const names = [...columns.keys()];
  const numbers = names.filter((name) => columns.get(name) === "number");
  let x = fieldsOf(props.x)[0] ?? null;
  let y = fieldsOf(props.y).slice(0, MAX_LINES);
  const lost = [x, ...y].filter((name) => name !== null && !columns.has(name));
  if (lost.length > 0) {
    notes.push(`No column ${lost.map((name) => `“${plain(name, 60)}”`).join(", ")} in the rows.`);
    return null;
  }
  if (x === null && y.length === 0 && columns.has("actual") && columns.has("predicted")) {
    return { kind: asked?.startsWith("confusion") ? asked : "confusion", x: "actual", y: ["predicted"] };
  }
  const isPairs = asked?.startsWith("confusion") || asked?.startsWith("scatter") || asked?.startsWith("bar");
  const choices = isPairs ? names : numbers;
  if (x === null && choices.length >= 2) x = choices.find((name) => !y.includes(name)) ?? null;
  if (y.length === 0) y = choices.filter((name) => name !== x).slice(0, 1);
  if (x === null || y.length === 0) return null;
  const kind = asked ?? guessOf(columns, x, y);
  return kind === null ? null : { kind, x, y };
}

function guessOf(columns, x, y) {
  const isNumber = (name) => columns.get(name) === "number";
  if (y.every(isNumber)) return isNumber(x) ? "linear" : "bar_horizontal";
  return isNumber(x) && y.length === 1 ? "bar_horizontal" : null;
}

function templateOf(template, notes) {
  if (template === undefined || template === null || template === "") return null;
  if (typeof template !== "string") {
    notes.push("It brought a template of its own. Templates from clients are not run; this is a guess from its rows.");
    return null;
  }
  const name = template.replace(/\.json$/, "").replace(/^.*[\\/]/, "");
  if (TEMPLATES.includes(name)) return name;
  notes.push(`The template “${plain(template, 60)}” is not one of DVC’s own; this is a guess from the rows.`);
  return null;
}

function drawnOf(meant, runs, columns, notes) {
  if (meant.kind.startsWith("confusion")) return matrixOf(meant, runs, notes);
  if (meant.kind.startsWith("bar")) return categoriesOf(meant, runs, columns, notes);
  return pointsOf(meant, runs, columns, notes);
}

/** A column's name, several, or columns by file, as dvc.yaml writes them. */
function fieldsOf(value) {
  if (typeof value === "string" && value !== "") return [value];
  if (typeof value === "number") return [String(value)];
  if (value === null || typeof value !== "object") return [];
  return [...new Set(Object.values(value).flatMap((one) => fieldsOf(one)))];
}

function titleOf(path, props) {
  const last = path.split("/").at(-1).replace(/\.(json|csv|tsv|ya?ml)$/, "");
  return plain(textOf(props.title) || last || path, 160);
}

function isDiagonal({ kind, x, y }) {
  const pair = `${x} ${y[0]}`;
  return kind === "simple" && (pair === "fpr tpr" || pair === "prob_pred prob_true");
}

function tableOf(runs, names, notes) {
  const columns = names.slice(0, 8);
  const several = runs.length > 1;
  const total = runs.reduce((sum, run) => sum + run.rows.length, 0);
  const all = runs.flatMap((run) => run.rows.slice(0, TABLE_ROWS).map((row) => ({ run, row })));
  const rows = all.slice(0, TABLE_ROWS).map(({ run, row }) => {
    const cells = columns.map((name) => (Object.hasOwn(row, name) ? plain(textOf(row[name]), 80) : "–"));
    return several ? [run.label, ...cells] : cells;
  });
  if (total > rows.length) notes.push(`The first ${rows.length} of ${plural(total, "row")}.`);
  if (names.length > columns.length) notes.push(`The first ${columns.length} of ${plural(names.length, "column")}.`);
  const heads = columns.map((name) => plain(name, 60));
  return { columns: several ? ["run", ...heads] : heads, rows };
}

function textOf(value) {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
