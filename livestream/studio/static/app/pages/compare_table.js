// The table of a comparison: a column an experiment, a row a fact or leaf, in groups. Each cell is told apart from the
// reference's: the same is quiet, other numbers say by how much, and a metric with a goal says whether that is better.

import { partsOf } from "../core/cells.js";
import { withGoal } from "../core/column_wishes.js";
import { bestByKey, difference, differing, goalOf, isAlike, isBest, verdictOf } from "../core/compare.js";
import { formatDelta, formatValue, plural } from "../core/format.js";
import { address } from "../data/api.js";
import { runColour } from "../data/colours.js";
import { html, useMemo } from "../lib.js";
import { Button, Chip, isDark } from "../parts/index.js";
import { differs, FactLine, factsOf } from "./compare_facts.js";
import { Live } from "./live.js";

const GROUPS = [
  ["metrics", "Metrics"],
  ["params", "Params"],
  ["machine", "Machine"],
];
const LABELS_PX = 240;
const COLUMN_PX = 190;
const LONGEST_TITLE = 1_000;
const SYSTEM = /^system(\/|$)/;
const NEXT_GOAL = new Map([
  [null, "up"],
  ["up", "down"],
  ["down", null],
]);
const GOAL_WORDS = new Map([
  [null, "no goal"],
  ["up", "higher is better"],
  ["down", "lower is better"],
]);

/**
 * @param {{rows: object[], files: object[], reference: object, onlyDiffering: boolean,
 *   goals: Object<string, "up"|"down">, onGoals: Function, onReference: Function, onRemove: Function}} props
 */
export function CompareTable(props) {
  const { rows, files, reference, onlyDiffering, goals } = props;
  const groups = useMemo(() => groupsOf(rows, onlyDiffering), [rows, onlyDiffering]);
  const best = useMemo(() => bestByKey(rows, goals), [rows, goals]);
  const facts = factsOf(rows).filter((fact) => !onlyDiffering || fact.always || differs(rows, fact.text));
  const fileRows = fileRowsOf(rows, files, onlyDiffering);
  const isAllSame = onlyDiffering && !fileRows.length && groups.every((group) => !group.lines.length);
  return html`<div class="compare-scroll">
    <table class="compare-table" style=${{ minWidth: `${LABELS_PX + rows.length * COLUMN_PX}px` }}>
      <${Columns} ...${props} />
      <tbody>
        ${facts.map((fact) => html`<${FactLine} key=${fact.label} fact=${fact} rows=${rows} reference=${reference} />`)}
      </tbody>
      ${groups.map((group) => html`<${Group} key=${group.name} group=${group} best=${best} ...${props} />`)}
      ${fileRows.length > 0 && html`<${FileGroup} lines=${fileRows} rows=${rows} />`}
    </table>
    ${isAllSame && html`<p class="hint">Metrics, params, files and machines are the same.</p>`}
  </div>`;
}

function Columns({ rows, reference, onReference, onRemove }) {
  const dark = isDark();
  return html`<thead>
    <tr>
      <th scope="col"><span class="unseen">What</span></th>
      ${rows.map(
        (row) => html`<th scope="col" key=${row.id}>
          <div class="compare-name">
            <span class="run-dot" style=${{ background: runColour(row.id, dark) }}></span>
            <a href=${address(`experiments/${row.id}`)} title=${row.name}>${row.name}</a>
            ${
              rows.length > 1 &&
              html`<${Button}
                icon="close"
                title="Take out of the comparison"
                kind="plain"
                onClick=${() => onRemove(row.id)}
              />`
            }
          </div>
          <div class="compare-state">
            <${Chip} status=${row.status} />
            <span>step <${Live} value=${row.step}>${formatValue(row.step)}</${Live}></span>
            ${
              rows.length > 1 &&
              html`<button
                type="button"
                class="reference"
                title="Tell differences to this one"
                aria-pressed=${String(row.id === reference.id)}
                onClick=${() => onReference(row.id)}
              >
                Reference
              </button>`
            }
          </div>
        </th>`,
      )}
    </tr>
  </thead>`;
}

// -- leaves

/** Groups with the lines that are shown (key, file, names), how many are hidden, and how many files there are. */
function groupsOf(rows, onlyDiffering) {
  const keys = new Set(rows.flatMap((row) => [...row.cells.keys()]));
  const shown = new Set(onlyDiffering ? differing(rows, keys) : keys);
  return GROUPS.map(([name, title]) => {
    const all = [...keys].map((key) => ({ key, ...partsOf(key) })).filter((one) => one.group === name && !isStep(one));
    const lines = all.filter((one) => shown.has(one.key)).sort(inOrder);
    return { name, title, lines, hidden: all.length - lines.length, files: new Set(all.map((one) => one.file)).size };
  }).filter((group) => group.lines.length || group.hidden);
}

/** DVCLive writes the step among its metrics; the head of the column tells it. */
function isStep({ group, names }) {
  return group === "metrics" && names.length === 1 && names[0] === "step";
}

function inOrder(one, other) {
  const rank = (line) => (line.group === "metrics" && SYSTEM.test(line.names[0]) ? 1 : 0);
  const name = (line) => `${line.file}\n${line.names.join(".")}`;
  return rank(one) - rank(other) || name(one).localeCompare(name(other), "en");
}

function Group({ group, rows, reference, goals, onGoals, best }) {
  return html`<tbody class=${`group ${group.name}`}>
    <tr class="group-head">
      <th scope="colgroup" colspan=${rows.length + 1}>
        ${group.title} ${group.hidden > 0 && html`<small>${plural(group.hidden, "line")} the same</small>`}
      </th>
    </tr>
    ${group.lines.map(
      (line) =>
        html`<${LeafLine}
          key=${line.key}
          line=${line}
          showsFile=${group.files > 1}
          rows=${rows}
          reference=${reference}
          goal=${line.group === "metrics" ? goalOf(goals, line.key) : null}
          best=${best}
          onGoal=${(goal) => onGoals(withGoal({ goals }, line.key, goal).goals)}
        />`,
    )}
  </tbody>`;
}

function LeafLine({ line, showsFile, rows, reference, goal, best, onGoal }) {
  const { key, names, file } = line;
  const base = reference.cells.get(key);
  const folders = names.slice(0, -1).join(".");
  return html`<tr>
    <th scope="row">
      <span class="compare-leaf">
        <span class="path" title=${names.join(".").slice(0, LONGEST_TITLE)}>
          ${folders && html`<span class="soft">${folders}.</span>`}${names.at(-1)}
          ${showsFile && html`<small>${file}</small>`}
        </span>
        ${
          line.group === "metrics" &&
          html`<${Button}
            icon=${goal ?? "goal"}
            kind="plain"
            pressed=${goal !== null}
            title=${`${names.join(".").slice(0, 80)}: ${GOAL_WORDS.get(goal)}`}
            onClick=${() => onGoal(NEXT_GOAL.get(goal))}
          />`
        }
      </span>
    </th>
    ${rows.map((row) => {
      const value = row.cells.get(key);
      const isReference = row.id === reference.id;
      const isSame = isReference || isAlike(value, base);
      const delta = isReference || isSame ? null : difference(value, base);
      const isNumber = typeof value === "number" || (value === undefined && line.group === "metrics");
      const words = [
        isNumber ? "number" : "",
        isSame ? (isReference ? "" : "same") : "other",
        isBest(row, key, best) ? "best" : "",
      ];
      return html`<td key=${row.id} class=${words.filter(Boolean).join(" ")}>
        <div class="compare-value">
          ${delta !== null && html`<span class=${`delta ${verdictOf(delta, goal) ?? ""}`}>${formatDelta(delta)}</span>`}
          <${Live} value=${value} class="clamped" title=${titleOf(value)}>
            ${formatValue(value)}
          </${Live}>
        </div>
      </td>`;
    })}
  </tr>`;
}

function titleOf(value) {
  return typeof value === "string" ? value.slice(0, LONGEST_TITLE) : undefined;
}

// -- files

function fileRowsOf(rows, files, onlyDiffering) {
  const byPath = new Map();
  for (const file of files) {
    if (!byPath.has(file.path)) byPath.set(file.path, new Map());
    byPath.get(file.path).set(file.experiment, file);
  }
  const lines = [...byPath].map(([path, found]) => ({ path, found }));
  if (!onlyDiffering) return lines;
  return lines.filter(({ found }) =>
    differs(rows, (row) => `${found.get(row.id)?.count} ${found.get(row.id)?.last_step}`),
  );
}

function FileGroup({ lines, rows }) {
  return html`<tbody class="group files-group">
    <tr class="group-head">
      <th scope="colgroup" colspan=${rows.length + 1}>Files</th>
    </tr>
    ${lines.map(
      ({ path, found }) =>
        html`<tr key=${path}>
          <th scope="row"><span class="path">${path}</span></th>
          ${rows.map((row) => html`<td key=${row.id} class="number">${fileText(found.get(row.id))}</td>`)}
        </tr>`,
    )}
  </tbody>`;
}

function fileText(file) {
  if (!file) return "–";
  const step =
    file.last_step === null || file.last_step === undefined ? "" : `, last step ${formatValue(file.last_step)}`;
  return plural(file.count, file.kind === "image" ? "image" : "plot") + step;
}
