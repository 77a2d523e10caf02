// The values at the cursor, in a small panel beside it. It is written into directly: it moves with every mouse move.

import { formatTime } from "../core/format.js";
import { spanLabel, valueLabel } from "../core/series_scale.js";

const MAX_LINES = 16;
const GAP_PX = 14;
const EDGE_PX = 4;

/** @returns {string} An x as people read it. */
function xLabel(x, mode) {
  if (mode === "time") return formatTime(x);
  if (mode === "relative") return spanLabel(x);
  return mode === "step" ? `Step ${Math.round(x).toLocaleString("en-US")}` : valueLabel(x);
}

/** Is made once for a card. */
export class Readout {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.head = element.appendChild(document.createElement("p"));
    this.list = element.appendChild(document.createElement("ul"));
    this.rest = element.appendChild(document.createElement("p"));
    this.lines = [];
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * @param {{x: number, left: number, top: number, width: number, found: object[]}} cursor Each found one has the key of
   *   its line, and of the nearest point the x, the value and what it was before smoothing (`raw`).
   * @param {Map<string, {label: string, colour: string}>} looks
   * @param {string} mode
   * @param {string|null} near Key of the line that is pointed at.
   */
  show(cursor, looks, mode, near) {
    const found = cursor.found.filter((one) => !Number.isNaN(one.value)).sort((one, other) => other.value - one.value);
    if (!found.length) {
      this.hide();
      return;
    }
    const at = found.find((one) => one.key === near) ?? nearestTo(found, cursor.x);
    this.head.textContent = xLabel(at.x, mode);
    const shown = cut(found, near);
    shown.forEach((one, index) => this.write(index, one, looks.get(one.key), one.key === near));
    this.lines.forEach((line, index) => (line.item.hidden = index >= shown.length));
    this.rest.textContent = found.length > shown.length ? `and ${found.length - shown.length} more` : "";
    this.rest.hidden = found.length <= shown.length;
    this.element.hidden = false;
    this.place(cursor);
  }

  write(index, { value, raw }, look, isNear) {
    const line = (this.lines[index] ??= this.newLine());
    line.item.classList.toggle("near", isNear);
    line.dot.style.background = look?.colour ?? "gray";
    line.name.textContent = look?.label ?? "";
    const isSmooth = raw !== undefined && raw !== null;
    line.value.textContent = isSmooth ? `${valueLabel(value)}  (${valueLabel(raw)})` : valueLabel(value);
  }

  newLine() {
    const item = this.list.appendChild(document.createElement("li"));
    const [dot, name, value] = ["i", "span", "b"].map((tag) => item.appendChild(document.createElement(tag)));
    return { item, dot, name, value };
  }

  /** Beside the cursor, on the side with more room, and within what scrolls. */
  place({ left, width, top }) {
    const { style, offsetWidth, offsetHeight, parentElement } = this.element;
    const card = parentElement.getBoundingClientRect();
    const room = (parentElement.closest(".plots-main, .dialog-body") ?? document.body).getBoundingClientRect();
    const isRight = left < width / 2;
    const at = isRight ? left + GAP_PX : left - GAP_PX - offsetWidth;
    const last = room.right - EDGE_PX - offsetWidth - card.left;
    const x = Math.max(room.left + EDGE_PX - card.left, Math.min(at, last));
    const y = Math.max(0, Math.min(top - 20, room.bottom - EDGE_PX - offsetHeight - card.top));
    style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}

function nearestTo(found, x) {
  return found.reduce((best, one) => (Math.abs(one.x - x) < Math.abs(best.x - x) ? one : best));
}

/** The lines around the one that is pointed at, where there are too many. */
function cut(found, near) {
  if (found.length <= MAX_LINES) return found;
  const at = Math.max(0, found.findIndex((one) => one.key === near));
  const first = Math.max(0, Math.min(at - MAX_LINES / 2, found.length - MAX_LINES));
  return found.slice(first, first + MAX_LINES);
}
