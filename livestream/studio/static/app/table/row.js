// One line of the table: a group (branch, commit, project, detached) that is one cell across, or an experiment.
//
// A row asks again only when its line, the window of columns or what it is compared with is another; what flashes it
// asks by itself, so that a change elsewhere does not touch it.

import { colourOfSlot } from "../core/colours.js";
import { NAME } from "../core/columns.js";
import { difference, goalOf, isBest, verdictOf } from "../core/compare.js";
import { formatAgo, formatTime, plural } from "../core/format.js";
import { address } from "../data/api.js";
import { slotOf } from "../data/colours.js";
import { changed } from "../data/experiments.js";
import { h, html, useComputed } from "../lib.js";
import { clock } from "../parts/clock.js";
import { Icon } from "../parts/index.js";
import { Cell } from "./cell.js";
import { isSparked } from "./spark.js";
import { Still } from "./still.js";
import { INDENT_PX, LINE_PX } from "./window.js";

const MOST_NAME = 200;
const PLAIN = { base: undefined, mark: "", best: false, spark: null, step: null };

/** A row, drawn only where something that it is given is another. */
export class Row extends Still {
  /**
   * @param {object} props
   * @param {import("../core/rows.js").Line} props.line
   * @param {number} props.index Of the line.
   * @param {number} props.first Column of the free side, as `end`, which is behind the last.
   * @param {boolean} props.selected
   * @param {string|null} props.here Key of the column under the cursor, if it is in this row.
   * @param {string} props.cursorId
   * @param {boolean} props.kept The copy of the baseline that stays in sight.
   * @param {object} props.shared What all rows need: layout, baseline, delta, goals, best, dark, hasMenu.
   */
  render(props) {
    return props.line.row ? h(ExperimentRow, props) : h(GroupRow, props);
  }
}

function ExperimentRow({ line, index, first, end, selected, here, cursorId, kept, shared }) {
  const { row } = line;
  const marks = useComputed(() => changed.value.get(row.id)).value;
  const { layout, baseline } = shared;
  const colour = colourOfSlot(useComputed(() => slotOf(row.id)).value, shared.dark);
  const isBaseline = baseline !== null && baseline.id === row.id;
  const cells = (columns, from, to, offset) => {
    const made = [];
    for (let at = from; at < to; at += 1) {
      const column = columns[at];
      const position = offset + at + 1;
      const id = column.key === here ? cursorId : undefined;
      if (column.key === NAME) {
        const { hasMenu } = shared;
        made.push(h(NameCell, { key: NAME, line, column, position, id, selected, isBaseline, colour, kept, hasMenu }));
      } else {
        const flash = marks?.get(column.key);
        made.push(h(Cell, { key: column.key, ...cellProps(row, column, isBaseline, shared), position, id, flash }));
      }
    }
    return made;
  };
  const { frozen, free } = layout;
  const flags = { selected, baseline: isBaseline, kept, at: here };
  const kind = Object.keys(flags).filter((flag) => flags[flag]).join(" ");
  return h(
    "div",
    {
      class: `line experiment ${kind}`,
      role: "row",
      "aria-selected": String(selected),
      "aria-rowindex": kept ? undefined : index + layout.levels + 2,
      "data-index": kept ? undefined : index,
      style: { ...(kept ? {} : { top: `${index * LINE_PX}px` }), "--run": colour },
    },
    h(
      "div",
      { class: "frozen", style: { width: `${frozen.width}px` }, role: "presentation" },
      cells(frozen.columns, 0, frozen.columns.length, 0),
    ),
    cells(free.columns, first, end, frozen.columns.length),
  );
}

/** What a cell shows of a row. */
function cellProps(row, column, isBaseline, { baseline, delta, goals, best }) {
  const { key, kind } = column;
  if (kind === "facts") return { ...PLAIN, column, value: row };
  const value = row.cells.get(key);
  const base = baseline !== null && !isBaseline ? baseline.cells.get(key) : undefined;
  const goal = goalOf(goals, key);
  const hasSpark = kind === "metrics" && value !== undefined && isSparked(key);
  return {
    column,
    value,
    base: delta ? base : undefined,
    mark: goal === null || base === undefined ? "" : (verdictOf(difference(value, base), goal) ?? ""),
    best: isBest(row, key, best),
    spark: hasSpark ? row.id : null,
    step: hasSpark ? row.step : null,
  };
}

/** Drawn again only for something of its own: the window of columns passes it by. */
class NameCell extends Still {
  render(props) {
    return nameCell(props);
  }
}

function nameCell({ line, column, position, id, selected, isBaseline, colour, kept, hasMenu }) {
  const { row, depth } = line;
  const name = cut(row.name);
  const href = address(`experiments/${row.id}`).href;
  const menuLabel = `Menu of ${name}`;
  return html`<div
    class=${`cell name ${id ? "here" : ""}`}
    style=${column.style}
    role="gridcell"
    id=${id}
    aria-colindex=${position}
  >
    <span class="indent" style=${{ width: `${(kept ? 0 : depth) * INDENT_PX}px` }}></span>
    <input
      type="checkbox"
      tabindex="-1"
      checked=${selected}
      aria-label=${`Select ${name}`}
      data-act="select"
    />
    <i class="dot" style=${{ background: colour }}></i>
    <a class="text" href=${href} title=${row.name} tabindex="-1" data-act="open">${name}</a>
    ${isBaseline && html`<b class="badge">Baseline</b>`}
    ${hasMenu &&
    html`<button
      type="button"
      class="row-menu"
      tabindex="-1"
      aria-label=${menuLabel}
      aria-haspopup="true"
      data-act="menu"
    >
      <${Icon} name="more" />
    </button>`}
  </div>`;
}

function GroupRow({ line, index, here, cursorId, shared }) {
  const { layout } = shared;
  return html`<div
    class=${`line group ${line.type} ${here ? "at" : ""}`}
    role="row"
    aria-rowindex=${index + layout.levels + 2}
    data-index=${index}
    style=${{ top: `${index * LINE_PX}px` }}
  >
    <div
      class=${`group-cell ${here ? "here" : ""}`}
      role="gridcell"
      aria-colindex="1"
      aria-colspan=${layout.frozen.columns.length + layout.free.columns.length}
      id=${here ? cursorId : undefined}
    >
      <span class="indent" style=${{ width: `${line.depth * INDENT_PX}px` }}></span>
      <button
        type="button"
        class="fold"
        tabindex="-1"
        aria-expanded=${String(line.open)}
        aria-label=${`${line.open ? "Fold" : "Unfold"} ${cut(titleOf(line))}`}
        data-act="toggle"
      >
        <${Icon} name=${line.open ? "down" : "right"} size=${14} />
      </button>
      <${GroupTitle} line=${line} />
      <span class="tally">${tallyOf(line)}</span>
    </div>
  </div>`;
}

function GroupTitle({ line }) {
  const { type, commit, branch } = line;
  if (type === "commit" && commit) {
    const age = commit.time ? formatAgo(commit.time, clock()) : "";
    const by = [cut(commit.author ?? ""), age].filter(Boolean).join(", ");
    return html`<code class="sha">${commit.short}</code>
      <span class="text" title=${commit.message}>${cut(commit.message?.split("\n")[0] || "")}</span>
      ${by && html`<span class="by" title=${commit.time ? formatTime(commit.time) : ""}>${by}</span>`}`;
  }
  return html`${type === "branch" && html`<${Icon} name="branch" size=${14} />`}
    <span class="text strong" title=${titleOf(line)}>${cut(titleOf(line))}</span>
    ${branch?.isDefault && html`<span class="tag">default</span>`}
    ${branch?.merged && html`<span class="tag">merged</span>`}`;
}

function titleOf({ type, commit, branch, project }) {
  if (type === "branch") return branch.name;
  if (type === "commit") return commit?.short ?? "commit";
  if (type === "project") return project.name;
  return "Detached experiments";
}

function tallyOf({ count, hidden = 0 }) {
  if (!count && !hidden) return "";
  return plural(count, "experiment") + (hidden ? `, ${hidden.toLocaleString("en-US")} filtered out` : "");
}

function cut(text) {
  return text.length > MOST_NAME ? `${text.slice(0, MOST_NAME)}…` : text;
}
