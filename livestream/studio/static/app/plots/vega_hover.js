// What stands under the pointer, said in plain text beside it.
//
// Vega's own tooltips are not used: the words here are made of values with textContent, and the rule and the dots are
// elements above the canvas, so that pointing redraws nothing.

import { formatNumber } from "../core/format.js";

const REACH_PX = 24;
const BESIDE_PX = 16;
const MAX_LINES = 10;

/** Is made once for a canvas; `end` takes it away. */
export class Hover {
  /** @param {HTMLElement} box Holds the canvas; positioned. @param {import("./vega.js").Chart} chart */
  constructor(box, chart) {
    this.box = box;
    this.chart = chart;
    this.marks = made("div", "hover-marks");
    this.tip = made("div", "hover-tip");
    this.tip.hidden = true;
    this.colours = new Map();
    this.groups = null;
    this.onMove = (event) => this.move(event);
    this.onLeave = () => this.hide();
    box.addEventListener("pointermove", this.onMove);
    box.addEventListener("pointerleave", this.onLeave);
    box.append(this.marks, this.tip);
  }

  end() {
    this.box.removeEventListener("pointermove", this.onMove);
    this.box.removeEventListener("pointerleave", this.onLeave);
    this.marks.remove();
    this.tip.remove();
  }

  /** What was drawn is new: places have to be computed again. @param {Map<string, string>} colours By run. */
  refresh(colours) {
    this.colours = colours;
    this.groups = null;
    this.hide();
  }

  move(event) {
    const { plot, view } = this.chart;
    if (!view || !plot) return;
    const bounds = this.chart.element.getBoundingClientRect();
    const origin = originOf(view);
    const x = event.clientX - bounds.left - origin[0];
    const y = event.clientY - bounds.top - origin[1];
    const isLines = ["simple", "linear", "smooth"].includes(plot.kind);
    const isPoints = plot.kind.startsWith("scatter");
    const found = isLines ? this.column(x, y) : isPoints ? this.nearest(x, y) : this.cell(event, bounds);
    if (found === null) this.hide();
    else this.show(found, event.clientX - bounds.left, event.clientY - bounds.top, origin);
  }

  /** Of lines: every run at the x that is nearest. */
  column(x, y) {
    const { view } = this.chart;
    if (x < -REACH_PX || x > view.width() + REACH_PX || y < 0 || y > view.height() + REACH_PX) return null;
    let best = null;
    const near = this.places().map((places) => {
      const place = nearestPlace(places, x);
      if (best === null || Math.abs(place.px - x) < Math.abs(best.px - x)) best = place;
      return place;
    });
    if (best === null) return null;
    const points = near.filter((place) => Math.abs(place.px - best.px) < 1.5);
    return { head: valueText(best.row.x), rule: best.px, points, lines: points.map((place) => this.lineOf(place.row)) };
  }

  nearest(x, y) {
    let best = null;
    let least = REACH_PX ** 2;
    for (const places of this.places()) {
      for (const place of places) {
        const distance = (place.px - x) ** 2 + (place.py - y) ** 2;
        if (distance < least) [best, least] = [place, distance];
      }
    }
    if (best === null) return null;
    const { plot } = this.chart;
    const { row } = best;
    const lines = [
      { text: plot.xTitle, value: valueText(row.shownX ?? row.x) },
      { text: plot.lines.length > 0 ? row.line : plot.yTitle, value: valueText(row.shownY ?? row.y) },
    ];
    return { head: row.run, points: [best], lines };
  }

  /** Of bars and matrices: what Vega finds under the pointer. */
  cell(event, bounds) {
    const { view, plot } = this.chart;
    const item = itemAt(view, event.clientX - bounds.left, event.clientY - bounds.top);
    const row = item?.datum;
    if (!row || row.run === undefined) return null;
    if (plot.kind.startsWith("bar")) {
      return { head: row.y, points: [], lines: [{ ...this.lineOf(row), value: valueText(row.x) }] };
    }
    if (row.n === undefined) return null;
    const share = row.total > 0 ? ` (${((100 * row.n) / row.total).toFixed(1)} % of the row)` : "";
    return {
      head: plot.runs.length > 1 ? row.run : "",
      points: [],
      lines: [
        { text: plot.xTitle, value: row.x },
        { text: plot.yTitle, value: row.y },
        { text: "count", value: `${formatNumber(row.n)}${share}` },
      ],
    };
  }

  lineOf(row) {
    const { plot } = this.chart;
    const words = [...(plot.runs.length > 1 ? [row.run] : []), ...(plot.lines.length > 0 ? [row.line] : [])];
    return { colour: this.colours.get(row.run), text: words.join(" · ") || plot.yTitle, value: valueText(row.y) };
  }

  /** Where the points of each line are, in pixels of the drawing. */
  places() {
    if (this.groups !== null) return this.groups;
    const { plot, view } = this.chart;
    const [x, y] = [view.scale("x"), view.scale("y")];
    const [halfX, halfY] = [half(x), half(y)];
    const offsets = ["xOffset", "yOffset"].map((name) => (plot.rows[0]?.jx === undefined ? null : scaleOf(view, name)));
    const groups = new Map();
    for (const row of plot.rows) {
      const key = `${row.line}\n${row.run}`;
      if (!groups.has(key)) groups.set(key, []);
      const px = x(row.x) + (plot.xType === "text" && offsets[0] ? offsets[0](row.jx) : halfX);
      const py = y(row.y) + (plot.yType === "text" && offsets[1] ? offsets[1](row.jy) : halfY);
      groups.get(key).push({ px, py, row });
    }
    this.groups = [...groups.values()];
    return this.groups;
  }

  show({ head, lines, points, rule }, left, top, origin) {
    const shown = lines.slice(0, MAX_LINES).map(({ colour, text, value }) => {
      const line = made("div", "hover-line");
      if (colour) line.append(swatch(colour));
      line.append(made("span", "", text), made("b", "", value));
      return line;
    });
    this.tip.replaceChildren(...(head ? [made("div", "hover-head", head)] : []), ...shown);
    this.marks.replaceChildren(
      ...(rule === undefined ? [] : [placed("hover-rule", rule + origin[0], origin[1], this.chart.view.height())]),
      ...points.map(({ px, py, row }) => {
        const dot = placed("hover-dot", px + origin[0], py + origin[1]);
        dot.style.color = this.colours.get(row.run);
        return dot;
      }),
    );
    this.tip.hidden = false;
    const room = this.box.clientWidth - this.tip.offsetWidth;
    const beside = left + BESIDE_PX > room ? left - BESIDE_PX - this.tip.offsetWidth : left + BESIDE_PX;
    this.tip.style.left = `${Math.max(0, Math.min(room, beside))}px`;
    this.tip.style.top = `${Math.max(0, top - this.tip.offsetHeight / 2)}px`;
  }

  hide() {
    this.tip.hidden = true;
    this.marks.replaceChildren();
  }
}

/** @param {{px: number}[]} places By rising px. */
function nearestPlace(places, x) {
  let low = 0;
  let high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle].px < x) low = middle + 1;
    else high = middle;
  }
  const before = places[low - 1];
  return before && x - before.px < places[low].px - x ? before : places[low];
}

/** Where (0, 0) of the drawing is on the canvas. */
function originOf(view) {
  const [[left, top], padding] = [view.origin(), view.padding()];
  return [left + padding.left, top + padding.top];
}

function itemAt(view, x, y) {
  const [left, top] = originOf(view);
  return pick(view.scenegraph().root, x - left, y - top);
}

/** The mark of ours at a place: the first below it that holds a row with a run in its bounds. */
function pick(node, x, y) {
  for (const item of node.items ?? []) {
    const { bounds } = item;
    if (bounds && (x < bounds.x1 || x > bounds.x2 || y < bounds.y1 || y > bounds.y2)) continue;
    if ((node.marktype === "rect" || node.marktype === "bar") && item.datum?.run !== undefined) return item;
    for (const inner of item.items ?? []) {
      const found = pick(inner, x - (item.x ?? 0), y - (item.y ?? 0));
      if (found) return found;
    }
  }
  return null;
}

function scaleOf(view, name) {
  try {
    return view.scale(name);
  } catch {
    return null;
  }
}

function half(scale) {
  return scale.bandwidth ? scale.bandwidth() / 2 : 0;
}

function valueText(value) {
  return typeof value === "number" ? formatNumber(Number(value.toPrecision(6))) : String(value);
}

function swatch(colour) {
  const mark = made("i", "run-swatch");
  mark.style.background = colour;
  return mark;
}

function placed(name, left, top, height) {
  const mark = made("i", name);
  mark.style.left = `${left}px`;
  mark.style.top = `${top}px`;
  if (height !== undefined) mark.style.height = `${height}px`;
  return mark;
}

function made(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}
