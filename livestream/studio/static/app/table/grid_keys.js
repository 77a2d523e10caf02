// The cursor of the grid and the keys that move it. The focus stays on the grid itself, which tells what is under the
// cursor (aria-activedescendant): cells come and go with the scroll, and the focus must not go with them.
//
// The cursor is {line, column, level}: keys of a line and a column; `line` null: in the head, at a level, where the
// leaves are the last. A group's line is one cell, so the column is kept for when the cursor leaves it.

import { declareKeys } from "../parts/index.js";

declareKeys("In the table", [
  ["Arrows", "Go from cell to cell; up from the first row into the head"],
  ["Space", "Select the run, or fold the group"],
  ["Enter", "Open the run; in the head: sort (with Shift: also by this)"],
  ["Alt + left, right", "In the head: move the column or group"],
  ["Shift + left, right", "In the head: make the column narrower or wider"],
  ["Alt + down", "In the head: open the menu"],
  ["Home, End", "First and last column; with Ctrl: first and last row"],
]);

const WIDER_PX = 16;
const OWN_KEYS = "input, button, a, select, [popover]";

/**
 * @param {KeyboardEvent} event
 * @param {object} given
 * @param {{line: string|null, column: string, level: number}|null} given.cursor
 * @param {(cursor: object) => void} given.setCursor
 * @param {object[]} given.lines
 * @param {import("../core/columns.js").Layout} given.layout
 * @param {number} given.page Lines in sight.
 * @param {object} given.actions Of grid_actions.js.
 * @param {{onSelect: Function, onToggle: Function, onOpen: Function, onRowMenu: Function}} given.on
 * @param {() => Element|null} given.element What is drawn under the cursor.
 */
export function handleKey(event, given) {
  if (event.ctrlKey && !["Home", "End"].includes(event.key)) return;
  const isInside = event.target !== event.currentTarget && event.target.closest(OWN_KEYS);
  if (isInside && ["Enter", " "].includes(event.key)) return;
  const columns = [...given.layout.frozen.columns, ...given.layout.free.columns];
  const start = { line: given.lines[0]?.key ?? null, column: columns[0].key, level: given.layout.levels };
  const cursor = given.cursor ?? start;
  const place = placeOf(cursor, columns, given);
  const isDone = place.row < 0 ? inHead(event, place, given) : inBody(event, place, given);
  if (!isDone && !walk(event, place, columns, given)) return;
  event.preventDefault();
  event.stopPropagation();
}

/** Where the cursor is by numbers; `row` -1: the leaves of the head, -2: the groups above them, and so on. */
function placeOf(cursor, columns, { lines, layout }) {
  const column = Math.max(0, columns.findIndex(({ key }) => key === cursor.column));
  if (cursor.line === null) return { row: cursor.level - layout.levels - 1, column, cursor };
  return { row: Math.max(0, lines.findIndex(({ key }) => key === cursor.line)), column, cursor };
}

function walk(event, { row, column }, columns, { lines, layout, page, setCursor, cursor }) {
  const lastRow = lines.length - 1;
  const steps = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, beside(row, column, -1, layout)],
    ArrowRight: [row, beside(row, column, 1, layout)],
    PageUp: [Math.max(Math.min(row, 0), row - page), column],
    PageDown: [row + page, column],
    Home: event.ctrlKey ? [0, column] : [row, 0],
    End: event.ctrlKey ? [lastRow, column] : [row, columns.length - 1],
  };
  if (!Object.hasOwn(steps, event.key) || event.altKey || event.shiftKey) return false;
  const [wantedRow, wantedColumn] = cursor ? steps[event.key] : [row, column];
  const nextRow = Math.min(lastRow, Math.max(-1 - layout.levels, wantedRow));
  const nextColumn = columns[Math.min(columns.length - 1, Math.max(0, wantedColumn))];
  const level = nextRow < 0 ? Math.max(nextRow + 1 + layout.levels, nextRow === -1 ? layout.levels : 0) : layout.levels;
  if (nextRow < -1 && nextColumn.path.length <= level) return true; // no header so high above this column
  setCursor({ line: nextRow < 0 ? null : lines[nextRow].key, column: nextColumn.key, level });
  return true;
}

/** The column beside, over groups of the head the one behind the group. */
function beside(row, column, by, layout) {
  if (row >= -1) return column + by;
  const { frozen, free } = layout;
  const isFree = column >= frozen.columns.length;
  const offset = isFree ? frozen.columns.length : 0;
  const segments = (isFree ? free : frozen).segments[row + 1 + layout.levels] ?? [];
  const found = segments.find(({ first, last }) => first <= column - offset && last >= column - offset);
  const next = segments[segments.indexOf(found) + by];
  return next ? next.first + offset : column;
}

function inBody(event, { row }, { lines, on }) {
  const line = lines[row];
  if (!line) return false;
  if (event.key === " ") {
    if (line.row) on.onSelect?.(line, { range: event.shiftKey });
    else on.onToggle?.(line);
    return true;
  }
  if (event.key === "Enter") {
    if (line.row) on.onOpen?.(line);
    else on.onToggle?.(line);
    return true;
  }
  if (line.row && (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey))) {
    const drawn = event.currentTarget.querySelector(`[data-index="${row}"] .row-menu`);
    on.onRowMenu?.(line, drawn ?? event.currentTarget);
    return true;
  }
  const isFold = (event.key === "ArrowLeft" && line.open) || (event.key === "ArrowRight" && !line.open);
  if (line.row || !isFold || event.altKey || event.shiftKey) return false;
  on.onToggle?.(line);
  return true;
}

function inHead(event, { row, column, cursor }, { layout, actions, element }) {
  const { frozen, free } = layout;
  const isFree = column >= frozen.columns.length;
  const side = isFree ? free : frozen;
  const own = side.columns[column - (isFree ? frozen.columns.length : 0)];
  const isLeaf = row === -1;
  const isAbove = ({ first, last }) => first <= own.index && last >= own.index;
  const segment = isLeaf ? null : side.segments[cursor.level]?.find(isAbove);
  const target = isLeaf ? { column: own } : { segment };
  if (!isLeaf && !segment) return false;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && event.altKey) {
    actions.nudge(target, by);
    return true;
  }
  if (by && event.shiftKey) {
    if (isLeaf) actions.setWidth(own.key, own.width + by * WIDER_PX);
    return true;
  }
  const wantsMenu =
    event.key === "ContextMenu" ||
    (event.key === "F10" && event.shiftKey) ||
    (event.key === "ArrowDown" && event.altKey);
  if (wantsMenu || (!isLeaf && (event.key === "Enter" || event.key === " "))) {
    const drawn = element();
    if (drawn) actions.openMenu({ preventDefault() {}, currentTarget: drawn }, target);
    return true;
  }
  if (event.key !== "Enter" && event.key !== " ") return false;
  actions.sort(own.key, event.shiftKey);
  return true;
}
