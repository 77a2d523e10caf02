// The grid of the project table: a window of lines and columns on a canvas as large as all of them.
//
// Only what is near the sight is in the document, so that 1,500 runs of 200 columns cost what 40 of 15 do. The place of
// the scroll is kept beside the state (sight.js): a scroll draws only when it leaves the drawn window (window.js), and
// new lines above move the scroll with them, before anything is painted.

import { place } from "../core/columns.js";
import { html, useId, useLayoutEffect, useMemo, useRef, useSignal, useState } from "../lib.js";
import { isDark } from "../parts/index.js";
import { createActions } from "./grid_actions.js";
import { handleKey } from "./grid_keys.js";
import { Header, headHeight } from "./header.js";
import { HeaderMenu } from "./header_menu.js";
import { Row } from "./row.js";
import { keepPlace, reveal, useSight } from "./sight.js";
import { columnWindow, LINE_PX, lineWindow } from "./window.js";

const MOST_LOOKED_AT = 60;
const NOTHING = new Map();

/**
 * The table's grid. It changes nothing by itself: what a person wants is told by callbacks.
 *
 * @param {object} props
 * @param {import("../core/rows.js").Line[]} props.lines What is shown, from above; kept objects are not drawn again.
 * @param {import("../core/columns.js").Columns} props.columns Of `columnsOf`; another only when keys or wishes are.
 * @param {object} props.view The view; read are sort, widths, order, pinned, hidden, goals, delta and selected.
 * @param {object|null} [props.baseline] The row that the others are compared with; it stays in sight below the head.
 * @param {Map<string, number>} [props.best] The best value by key, of columns with a goal.
 * @param {import("../lib.js").Signal<{line: string|null, column: string, level: number}|null>} [props.cursor] What is
 *   under the keyboard's cursor; setting it from outside brings it into sight.
 * @param {(fields: object, options: {step: boolean}) => void} props.onChange New fields of the view, as `changeView`.
 * @param {(line: object, how: {range: boolean}) => void} [props.onSelect] A run is to be selected, or no longer.
 * @param {(line: object) => void} [props.onToggle] A group is to be folded or unfolded.
 * @param {(line: object) => void} [props.onOpen] Enter on a run.
 * @param {(line: object, anchor: Element) => void} [props.onRowMenu] The menu of a run is wanted; else it has none.
 * @param {(key: string) => void} [props.onFilter] A filter on a column is wanted.
 * @param {string} [props.label] Accessible name.
 * @param {*} [props.children] Shown below the head where there are no lines.
 */
export function Grid(props) {
  const { lines, columns, view, baseline = null, best = NOTHING, label = "Experiments" } = props;
  const scroller = useRef(null);
  const live = useRef({});
  const [, setDrawn] = useState(0);
  const sight = useSight(scroller, live, () => setDrawn((count) => count + 1));
  const [drag, setDrag] = useState(null);
  const [drop, setDrop] = useState(null);
  const [menu, setMenu] = useState(null);
  const actions = useMemo(() => createActions(live, scroller, { setDrag, setDrop, setMenu }), []);
  const layout = useLayout(columns, view.widths, drag, sight.width);
  const shared = useShared(props, layout, baseline, best);
  const selected = useMemo(() => new Set(view.selected), [view.selected]);
  const isNumber = useNumbers(lines, columns);

  const head = headHeight(layout.levels) + (baseline ? LINE_PX : 0);
  const isMoved = keepPlace(live.current.lines, lines, sight, head);
  const { rows, span } = windows(sight, head, layout, lines.length);
  const pointer = useCursor(props, { lines, layout, sight, scroller, head });
  Object.assign(live.current, { lines, columns, layout, view, rows, span, head, onChange: props.onChange });
  live.current.isDrawn = (now) => isCovered(live.current, windows(now, head, layout, lines.length));
  useLayoutEffect(() => {
    if (isMoved) scroller.current.scrollTop = sight.top; // not to be asked each time: that has everything laid out
  }, [lines]);

  const events = eventsOf(props, { lines, layout, pointer, actions, scroller, sight, head, baseline });
  const closeMenu = (keepsFocus) => {
    setMenu(null);
    if (keepsFocus) scroller.current.focus({ preventScroll: true });
  };
  const rowProps = { first: span.first, end: span.end, cursorId: pointer.id, shared };
  return html`<div class="grid-area">
    <div
      class=${`data-grid ${drag || drop ? "dragging" : ""}`}
      ref=${scroller}
      role="grid"
      tabindex="0"
      aria-label=${label}
      aria-rowcount=${lines.length + layout.levels + 1}
      aria-colcount=${layout.frozen.columns.length + layout.free.columns.length}
      aria-multiselectable="true"
      aria-activedescendant=${pointer.isDrawn(rows, span) ? pointer.id : undefined}
      style=${{ "--frozen": `${layout.frozen.width}px`, "--sight": `${sight.width}px` }}
      ...${events}
    >
      <div class="head" role="rowgroup" style=${sizeOf(layout.width, head)}>
        <${Header}
          layout=${layout}
          first=${span.first}
          end=${span.end}
          sort=${view.sort}
          goals=${view.goals}
          here=${pointer.head}
          cursorId=${pointer.id}
          actions=${actions}
          isNumber=${isNumber}
        />
        ${baseline &&
        html`<${Row}
          line=${keptLine(baseline)}
          index=${-1}
          kept=${true}
          here=${null}
          selected=${selected.has(baseline.id)}
          ...${rowProps}
        />`}
        ${drop && html`<${Drop} drop=${drop} sight=${sight} />`}
      </div>
      ${lines.length > 0 &&
      html`<div class="body" role="rowgroup" style=${sizeOf(layout.width, lines.length * LINE_PX)}>
        ${lines.slice(rows.first, rows.end).map(
          (line, at) => html`<${Row}
            key=${line.key}
            line=${line}
            index=${rows.first + at}
            kept=${false}
            here=${pointer.line === line.key ? pointer.column : null}
            selected=${line.row !== null && line.row !== undefined && selected.has(line.row.id)}
            ...${rowProps}
          />`,
        )}
      </div>`}
      ${lines.length === 0 &&
      html`<div class="instead" role="row"><div class="instead" role="gridcell">${props.children}</div></div>`}
    </div>
    ${menu &&
    html`<${HeaderMenu}
      target=${menu}
      view=${view}
      onChange=${props.onChange}
      onFilter=${props.onFilter}
      actions=${actions}
      onClose=${closeMenu}
    />`}
  </div>`;
}

function sizeOf(width, height) {
  return { width: `${width}px`, height: `${height}px` };
}

/** Where the columns that are dragged would go. */
function Drop({ drop, sight }) {
  const left = drop.left + (drop.isFrozen ? sight.left : 0);
  return html`<i class="drop" style=${{ left: `${left}px`, height: `${sight.height}px` }}></i>`;
}

/** The columns on the canvas; while an edge is dragged, as if it were let go. */
function useLayout(columns, widths, drag, room) {
  return useMemo(
    () => place(columns, drag ? { ...widths, [drag.key]: drag.width } : widths, room),
    [columns, widths, drag, room],
  );
}

/** What all rows need, as one thing that is another only when one of them is. */
function useShared({ view, onRowMenu }, layout, baseline, best) {
  const { delta, goals } = view;
  const dark = isDark();
  const hasMenu = Boolean(onRowMenu);
  return useMemo(
    () => ({ layout, baseline, delta, goals, best, dark, hasMenu }),
    [layout, baseline, delta, goals, best, dark, hasMenu],
  );
}

/** Whether a column holds numbers: metrics always do; of others the first values tell, once they are there. */
function useNumbers(lines, columns) {
  const held = useRef(lines);
  held.current = lines;
  return useMemo(() => {
    const known = new Map([["step", true]]);
    const kinds = new Map(columns.all.map(({ key, kind }) => [key, kind]));
    return (key) => {
      if (kinds.get(key) === "metrics") return true;
      if (kinds.get(key) === "facts" || known.has(key)) return known.get(key) ?? false;
      const value = held.current
        .filter((line) => line.row)
        .slice(0, MOST_LOOKED_AT)
        .map(({ row }) => row.cells.get(key))
        .find((one) => one !== undefined);
      if (value !== undefined) known.set(key, typeof value === "number");
      return known.get(key) ?? false;
    };
  }, [columns]);
}

function windows(sight, head, layout, count) {
  const { frozen, free } = layout;
  return {
    rows: lineWindow({ top: sight.top, height: Math.max(0, sight.height - head) }, count),
    span: columnWindow(free, sight.left + frozen.width, sight.left + sight.width),
  };
}

function isCovered({ rows, span }, now) {
  const same = (one, other) => one.first === other.first && one.end === other.end;
  return same(rows, now.rows) && same(span, now.span);
}

/** The baseline's copy below the head. */
function keptLine(row) {
  return { type: "experiment", key: "baseline", row, depth: 0 };
}

/** The cursor: where it is, and how it is moved. */
function useCursor(props, { lines, layout, sight, scroller, head }) {
  const id = `cell-${useId()}`;
  const own = useSignal(null);
  const cursor = props.cursor ?? own;
  const byPointer = useRef(false);
  const at = cursor.value;
  const index = at?.line ? lines.findIndex(({ key }) => key === at.line) : -1;
  const sides = [layout.frozen, layout.free];
  useLayoutEffect(() => {
    const isQuiet = byPointer.current;
    byPointer.current = false;
    if (!at || isQuiet) return;
    const column = layout.free.columns.find(({ key }) => key === at.column);
    const isGroup = index >= 0 && !lines[index].row;
    const wanted = {
      top: index >= 0 ? index * LINE_PX : null,
      left: column && !isGroup ? column.left : null,
      width: column?.width ?? 0,
      height: LINE_PX,
    };
    reveal(scroller.current, sight, wanted, { head, frozen: layout.frozen.width });
  }, [at]);
  return {
    id,
    cursor: at,
    line: index >= 0 ? at.line : null,
    column: at?.column ?? null,
    head: at && at.line === null ? at : null,
    set: (next, isQuiet = false) => {
      byPointer.current = isQuiet;
      cursor.value = next;
    },
    isDrawn: (rows, span) => {
      if (!at) return false;
      const isRowDrawn = at.line === null || (index >= rows.first && index < rows.end);
      const free = sides[1].columns.findIndex(({ key }) => key === at.column);
      return isRowDrawn && (free < 0 || (free >= span.first && free < span.end) || (index >= 0 && !lines[index].row));
    },
  };
}

/** What the pointer and the keys do; lines are found by their number in the document. */
function eventsOf(props, { lines, layout, pointer, actions, scroller, sight, head, baseline }) {
  const lineAt = (target) => {
    const drawn = target.closest(".line");
    if (!drawn) return null;
    return drawn.dataset.index === undefined ? keptLine(baseline) : lines[Number(drawn.dataset.index)];
  };
  const onClick = (event) => {
    const line = lineAt(event.target);
    if (!line) return;
    const act = event.target.closest("[data-act]")?.dataset.act;
    const position = Number(event.target.closest("[aria-colindex]")?.getAttribute("aria-colindex") ?? 1);
    const column = [...layout.frozen.columns, ...layout.free.columns][position - 1];
    if (line.key !== "baseline") pointer.set({ line: line.key, column: column.key, level: layout.levels }, true);
    if (act === "open") return;
    if (act === "select") props.onSelect?.(line, { range: event.shiftKey });
    else if (act === "menu") props.onRowMenu?.(line, event.target.closest("[data-act]"));
    else if (!line.row) props.onToggle?.(line);
    if (act !== "menu") scroller.current.focus({ preventScroll: true });
  };
  const onContextMenu = (event) => {
    const line = lineAt(event.target);
    if (!line?.row || !props.onRowMenu || event.target.closest("a")) return;
    event.preventDefault();
    props.onRowMenu(line, event.target.closest(".line").querySelector(".row-menu"));
  };
  const onKeyDown = (event) =>
    handleKey(event, {
      cursor: pointer.cursor,
      setCursor: pointer.set,
      lines,
      layout,
      page: Math.max(1, Math.floor((sight.height - head) / LINE_PX) - 1),
      actions,
      on: props,
      element: () => document.getElementById(pointer.id),
    });
  return { onClick, onContextMenu, onKeyDown };
}
