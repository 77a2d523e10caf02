// What the head and the keys do to columns. One object for the life of a grid: it reads what is shown now through
// `live`, so that drawing the head again never makes new functions.

import { formatValue } from "../core/format.js";
import { movedTo, sortedBy } from "../core/column_wishes.js";
import { END, LEAST_WIDTH, MOST_WIDTH, NAME } from "../core/columns.js";
import { dragColumns, dragWidth } from "./header_drag.js";
import { INDENT_PX } from "./window.js";

const FIT_EXTRA_PX = 26;
const HEAD_EXTRA_PX = 44;
const MOST_MEASURED = 40;
const FACT_EXTRA_PX = 30;
const NAME_EXTRA_PX = 84;

/**
 * @param {{current: object}} live What is shown now: layout, columns, lines, view, onChange.
 * @param {{current: Element}} scroller
 * @param {{setDrag: Function, setMenu: Function, setDrop: Function}} set
 */
export function createActions(live, scroller, { setDrag, setMenu, setDrop }) {
  const change = (fields) => live.current.onChange(fields, { step: true });
  const setWidth = (key, width) => {
    const kept = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, Math.round(width)));
    change({ widths: { ...live.current.view.widths, [key]: kept } });
  };
  return {
    sort: (key, add) => change(sortedBy(live.current.view.sort, key, add)),
    move: (subject, before) => change(movedTo(live.current.columns, live.current.view, subject, before)),
    setWidth,
    nudge: (target, by) => nudge(live.current, target, by, change),
    fit: (column) => setWidth(column.key, fitted(live.current, column, scroller.current)),
    openMenu: (event, target) => {
      event.preventDefault();
      setMenu({ ...target, anchor: event.currentTarget.closest(".head-cell") });
    },
    startResize: (event, column) =>
      dragWidth(event, column, {
        onWidth: (width) => setDrag({ key: column.key, width }),
        onEnd: (width) => {
          setDrag(null);
          if (width !== null) setWidth(column.key, width);
        },
      }),
    startMove: (event, { side, subject, first, last }) => {
      const { layout } = live.current;
      const isFrozen = side === layout.frozen;
      const what = { side, first, last, isFrozen, scroller: scroller.current, frozenWidth: layout.frozen.width };
      dragColumns(event, what, {
        onPlace: (left) => setDrop(left === null ? null : { left, isFrozen, first, last }),
        onDrop: (before) => change(movedTo(live.current.columns, live.current.view, subject, before)),
      });
    },
  };
}

/** One place to the left or right: past the neighbour, a group past the group beside it. */
function nudge({ layout, columns, view }, { column, segment }, by, change) {
  const subject = (segment ?? column).key;
  const side = [layout.frozen, layout.free].find(({ columns: some, segments }) =>
    segment ? segments[segment.level]?.includes(segment) : some.some(({ key }) => key === subject),
  );
  if (!side) return;
  const first = segment ? segment.first : side.columns.findIndex(({ key }) => key === subject);
  const last = segment ? segment.last : first;
  const neighbour = side.columns[by < 0 ? first - 1 : last + 1];
  if (!neighbour) return;
  const isBeside = (one) => one.first <= neighbour.index && one.last >= neighbour.index;
  const beside = segment ? side.segments[segment.level].find(isBeside) : null;
  const before = by < 0 ? (beside?.first ?? first - 1) : (beside?.last ?? last + 1) + 1;
  change(movedTo(columns, view, subject, side.columns[before]?.key ?? END));
}

/** As wide as the longest of what a column holds; measured on a canvas, so that the page is not laid out. */
function fitted({ lines }, { key, kind, label }, scroller) {
  const style = getComputedStyle(scroller);
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.font = `${style.fontSize} ${style.fontFamily}`;
  const texts = [];
  for (const { row, depth } of lines) {
    if (!row) continue;
    const value = kind === "facts" ? row[key] : row.cells.get(key);
    if (typeof value === "object" && value !== null) continue;
    const extra = key === NAME ? NAME_EXTRA_PX + depth * INDENT_PX : kind === "facts" ? FACT_EXTRA_PX : FIT_EXTRA_PX;
    texts.push({ text: formatValue(value), extra });
  }
  texts.sort((one, other) => other.text.length - one.text.length);
  const widths = texts.slice(0, MOST_MEASURED).map(({ text, extra }) => canvas.measureText(text).width + extra);
  return Math.ceil(Math.max(canvas.measureText(label).width + HEAD_EXTRA_PX, ...widths));
}
