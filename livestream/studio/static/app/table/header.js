// The head of the table: groups over groups over columns. It is windowed as the rows are.

import { NAME } from "../core/columns.js";
import { html } from "../lib.js";
import { Icon } from "../parts/index.js";
import { Still } from "./still.js";

const GROUP_PX = 22;
const LEAF_PX = 28;

/** @returns {number} Pixels of the whole head. */
export function headHeight(levels) {
  return levels * GROUP_PX + LEAF_PX;
}

/**
 * @param {object} props
 * @param {import("../core/columns.js").Layout} props.layout
 * @param {number} props.first Of the free columns that are drawn; `end` is behind the last.
 * @param {number} props.end
 * @param {{key: string, falling: boolean}[]} props.sort
 * @param {Object<string, "up"|"down">} props.goals
 * @param {{column: string, level: number}|null} props.here What is under the cursor: a column, or the group over it.
 * @param {string} props.cursorId
 * @param {object} props.actions Of grid_actions.js.
 * @param {(key: string) => boolean} props.isNumber Whether a column holds numbers, which stand at the right.
 */
export class Header extends Still {
  render({ layout, ...props }) {
    return head(layout, props);
  }
}

function head(layout, props) {
  const { frozen, free, levels } = layout;
  const rows = Array.from({ length: levels }, (_, level) => {
    const kept = frozen.segments[level] ?? [];
    const seen = (free.segments[level] ?? []).filter(({ first, last }) => last >= props.first && first < props.end);
    const group = (segment, side, inset) =>
      html`<${Group} key=${segment.key + segment.first} segment=${segment} side=${side} inset=${inset} ...${props} />`;
    const style = { top: `${level * GROUP_PX}px` };
    return html`<div class="head-row" role="row" aria-rowindex=${level + 1} key=${level} style=${style}>
      <div class="frozen" role="presentation" style=${{ width: `${frozen.width}px` }}>
        ${kept.map((segment) => group(segment, frozen, 0))}
      </div>
      ${seen.map((segment) => group(segment, free, frozen.width))}
    </div>`;
  });
  const leaf = (column, side, offset) => {
    const position = offset + column.index + 1;
    return html`<${Leaf}
      key=${column.key}
      column=${column}
      side=${side}
      position=${position}
      levels=${levels}
      ...${props}
    />`;
  };
  const seen = free.columns.slice(props.first, props.end);
  return html`${rows}
    <div class="head-row leaves" role="row" aria-rowindex=${levels + 1} style=${{ top: `${levels * GROUP_PX}px` }}>
      <div class="frozen" role="presentation" style=${{ width: `${frozen.width}px` }}>
        ${frozen.columns.map((column) => leaf(column, frozen, 0))}
      </div>
      ${seen.map((column) => leaf(column, free, frozen.columns.length))}
    </div>`;
}

function Group({ segment, side, inset, here, cursorId, actions }) {
  const { key, label, hint, kind, level, first, last, left, width } = segment;
  const anchor = side.columns[first];
  const isHere = here !== null && here.level === level && holds(side, segment, here.column);
  return html`<div
    class=${`head-cell head-group kind-${kind} level-${Math.min(level, 3)} ${isHere ? "here" : ""}`}
    role="columnheader"
    aria-colspan=${last - first + 1}
    id=${isHere ? cursorId : undefined}
    style=${{ left: `${left}px`, width: `${width}px` }}
    onContextMenu=${(event) => actions.openMenu(event, { segment })}
  >
    <button
      type="button"
      class="head-label"
      tabindex="-1"
      title=${hint ? `${label}: ${hint}` : label}
      style=${{ left: `${inset}px` }}
      onPointerDown=${(event) => actions.startMove(event, { side, subject: key, first, last })}
      onClick=${(event) => actions.openMenu(event, { segment })}
    >
      <span class="text">${label}</span>${hint && html`<span class="hint text">${hint}</span>`}
      <${Icon} name="down" size=${12} />
    </button>
    <${Edge} column=${side.columns[last]} actions=${actions} />
    <span class="unseen">from ${anchor.label}</span>
  </div>`;
}

/** What a column is made wider by. */
function Edge({ column, actions }) {
  const start = (event) => actions.startResize(event, column);
  return html`<i class="edge" onPointerDown=${start} onDblClick=${() => actions.fit(column)}></i>`;
}

function holds(side, { first, last }, key) {
  const index = side.columns.findIndex((column) => column.key === key);
  return index >= first && index <= last;
}

function Leaf({ column, side, position, levels, sort, goals, here, cursorId, actions, isNumber }) {
  const { key, label, kind, path, index } = column;
  const at = sort.findIndex((one) => one.key === key);
  const falling = at >= 0 && sort[at].falling;
  const goal = Object.hasOwn(goals, key) ? goals[key] : null;
  const isHere = here !== null && here.level === levels && here.column === key;
  const above = (levels - path.length) * GROUP_PX;
  const state = at < 0 ? "none" : falling ? "descending" : "ascending";
  const classes = [isNumber(key) ? "number" : "", at >= 0 ? "sorted" : "", isHere ? "here" : ""].join(" ");
  const startMove = (event) => actions.startMove(event, { side, subject: key, first: index, last: index });
  return html`<div
    class=${`head-cell head-leaf kind-${kind} ${classes}`}
    role="columnheader"
    aria-sort=${state}
    aria-colindex=${position}
    id=${isHere ? cursorId : undefined}
    style=${{ ...column.style, top: `${-above}px`, height: `${above + LEAF_PX}px` }}
    onContextMenu=${(event) => actions.openMenu(event, { column })}
  >
    <button
      type="button"
      class="head-label"
      tabindex="-1"
      title=${kind === "facts" ? label : key}
      onPointerDown=${key === NAME ? undefined : startMove}
      onClick=${(event) => actions.sort(key, event.shiftKey)}
    >
      <span class="text">${label}</span>
      ${goal === "up" && html`<span class="goal" title="Higher is better">↑</span>`}
      ${goal === "down" && html`<span class="goal" title="Lower is better">↓</span>`}
      ${at >= 0 &&
      html`<span class="sort-mark">
        <${Icon} name=${falling ? "down" : "up"} size=${12} />${sort.length > 1 && html`<small>${at + 1}</small>`}
      </span>`}
    </button>
    <button
      type="button"
      class="head-menu"
      tabindex="-1"
      aria-label=${`Menu of ${label}`}
      aria-haspopup="true"
      onClick=${(event) => actions.openMenu(event, { column })}
    >
      <${Icon} name="down" size=${12} />
    </button>
    <${Edge} column=${column} actions=${actions} />
  </div>`;
}
