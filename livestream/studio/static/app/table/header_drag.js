// Dragging in the head: a column or a group to another place, or an edge to another width.
//
// The place of the table is read once, when a drag begins; while it goes on only the pointer and the scroll, which the
// grid knows, are looked at. A drag that does not leave its spot is a click.

import { END, LEAST_WIDTH } from "../core/columns.js";

const LEAST_PX = 5;
const EDGE_PX = 48;
const SPEED_PX = 14;

/**
 * Follow the pointer until it is let go.
 *
 * @param {PointerEvent} event
 * @param {{onMove: (x: number) => void, onEnd: (moved: boolean) => void}} listeners `x` of the window.
 */
function follow(event, { onMove, onEnd }) {
  const start = event.clientX;
  let isMoved = false;
  const move = (moved) => {
    isMoved ||= Math.abs(moved.clientX - start) >= LEAST_PX;
    if (isMoved) onMove(moved.clientX);
  };
  const end = (ended) => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", end);
    removeEventListener("pointercancel", end);
    removeEventListener("keydown", escape, true);
    onEnd(isMoved && ended.type === "pointerup");
  };
  const escape = (pressed) => {
    if (pressed.key !== "Escape") return;
    pressed.stopPropagation();
    end(pressed);
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
  addEventListener("keydown", escape, true);
}

/**
 * @param {PointerEvent} event
 * @param {object} column
 * @param {{onWidth: (width: number) => void, onEnd: (width: number|null) => void}} listeners Null: given up.
 */
export function dragWidth(event, column, { onWidth, onEnd }) {
  event.preventDefault();
  event.stopPropagation();
  const start = event.clientX;
  let width = column.width;
  follow(event, {
    onMove: (x) => {
      width = Math.max(LEAST_WIDTH, Math.round(column.width + x - start));
      onWidth(width);
    },
    onEnd: (moved) => onEnd(moved ? width : null),
  });
}

/**
 * @param {PointerEvent} event
 * @param {{side: object, first: number, last: number, isFrozen: boolean, scroller: Element, frozenWidth: number}} what
 *   Columns `first` to `last` of a side are dragged.
 * @param {{onPlace: (left: number|null) => void, onDrop: (before: string) => void}} listeners `left`: pixels on the
 *   canvas where they would go, null: nowhere.
 */
export function dragColumns(event, { side, first, last, isFrozen, scroller, frozenWidth }, { onPlace, onDrop }) {
  if (event.button !== 0) return;
  const box = scroller.getBoundingClientRect();
  let pointer = event.clientX;
  let index = null;
  let frame = 0;
  const look = () => {
    const x = pointer - box.left + (isFrozen ? 0 : scroller.scrollLeft);
    const at = side.columns.findIndex(({ left, width }) => x < left + width / 2);
    const found = at < 0 ? side.columns.length : at;
    index = found >= first && found <= last + 1 ? null : found;
    const end = side.columns.at(-1);
    onPlace(index === null ? null : (side.columns[index]?.left ?? end.left + end.width));
  };
  const slide = () => {
    frame = requestAnimationFrame(slide);
    if (isFrozen) return;
    const by = pointer > box.right - EDGE_PX ? SPEED_PX : pointer < box.left + frozenWidth + EDGE_PX ? -SPEED_PX : 0;
    if (!by) return;
    scroller.scrollLeft += by;
    look();
  };
  follow(event, {
    onMove: (x) => {
      pointer = x;
      if (!frame) slide();
      look();
    },
    onEnd: (moved) => {
      cancelAnimationFrame(frame);
      onPlace(null);
      if (!moved) return;
      addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
      if (index !== null) onDrop(side.columns[index]?.key ?? END);
    },
  });
}

/** The click that ends a drag is none. */
function swallow(event) {
  event.stopPropagation();
  event.preventDefault();
}
