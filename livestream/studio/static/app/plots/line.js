// Lines on a canvas: the one place that knows uPlot. It is made once for a set of lines and then only given data.

import uPlot from "../../vendor/uplot.js";
import { nearest } from "../core/series.js";
import { logTickLabel, logTicks, spanLabel, tickLabels, timeLabels } from "../core/series_scale.js";
import { bindGestures } from "./gestures.js";
import { paintUnder } from "./paint.js";

const LINE_PX = 1.5;
const STEPPED_BACK = 0.18;
const FEW_POINTS = 24;
const NEAR_PX = 28;
const SYNCED = new Set(["mousemove", "mouseleave"]);

/**
 * @typedef {object} Drawing
 * @property {import("../core/series.js").Line[]} lines
 * @property {{data: Array, places: Uint32Array[]}} joined Of the same lines.
 * @property {Map<string, {label: string, name: string, colour: string}>} looks By the key of a line.
 * @property {[number, number]} x What is shown.
 * @property {[number, number]} y
 * @property {{mode: string, logX: boolean, logY: boolean}} how
 */

export class LinePlot {
  /**
   * @param {HTMLElement} element
   * @param {{onZoom: Function, onReset: Function, onCursor: Function, onHighlight: Function}} told
   */
  constructor(element, told) {
    this.element = element;
    this.told = told;
    this.plot = null;
    this.shape = "";
    this.tokens = null;
    /** @type {Drawing|null} */
    this.drawing = null;
    this.isPointed = false;
  }

  /** @param {Drawing} drawing @param {{width: number, height: number}} size CSS pixels. */
  show(drawing, size) {
    const shape = JSON.stringify([drawing.lines.map((line) => line.key), drawing.how]);
    this.drawing = drawing;
    if (!this.plot || shape !== this.shape) {
      this.shape = shape;
      this.make(size);
    } else if (size.width !== this.plot.width || size.height !== this.plot.height) {
      this.plot.setSize(size);
    }
    const [low, high] = drawing.x;
    const [bottom, top] = drawing.y;
    this.plot.batch(() => {
      this.plot.setData(drawing.joined.data, false);
      this.plot.setScale("x", { min: low, max: high });
      this.plot.setScale("y", { min: bottom, max: top });
    });
  }

  /** Move what is seen, as long as a drag lasts. */
  move([min, max]) {
    this.plot?.setScale("x", { min, max });
  }

  /** Let the other lines step back; null: none. */
  highlight(key) {
    const index = this.drawing ? this.drawing.lines.findIndex((line) => line.key === key) : -1;
    this.plot?.setSeries(index < 0 ? null : index + 1, { focus: true }, false);
  }

  /** Read the theme's colours anew. */
  repaint() {
    this.tokens = null;
    this.plot?.redraw(false, true);
  }

  destroy() {
    this.release?.();
    if (this.isPointed) this.leave();
    this.plot?.destroy();
    this.plot = null;
  }

  /** The pointer is gone, or what it pointed at is. */
  leave() {
    this.isPointed = false;
    this.told.onHighlight(null);
    this.told.onCursor(null);
  }

  make(size) {
    this.destroy();
    this.plot = new uPlot(this.options(size), this.drawing.joined.data, this.element);
    this.release = bindGestures(this);
  }

  colours() {
    this.tokens ??= readTokens(this.element);
    return this.tokens;
  }

  lookOf(index) {
    return this.drawing.looks.get(this.drawing.lines[index - 1]?.key);
  }

  options({ width, height }) {
    const { how, lines } = this.drawing;
    const fixed = (plot, low, high) => [low, high];
    return {
      width,
      height,
      pxAlign: false,
      padding: [10, 14, 0, 0],
      legend: { show: false },
      focus: { alpha: STEPPED_BACK },
      cursor: this.cursor(),
      scales: {
        x: { time: how.mode === "time", auto: false, range: fixed, distr: how.logX ? 3 : 1 },
        y: { auto: false, range: fixed, distr: how.logY ? 3 : 1 },
      },
      axes: [this.axisX(how), this.axisY(how)],
      series: [{}, ...lines.map((_, index) => this.series(index + 1))],
      hooks: {
        drawAxes: [(plot) => paintUnder(plot, this.drawing)],
        setCursor: [(plot) => this.pointAt(plot)],
        setSelect: [(plot) => this.selected(plot)],
      },
    };
  }

  series(index) {
    return {
      stroke: () => this.lookOf(index)?.colour ?? "gray",
      width: LINE_PX,
      points: {
        show: true,
        size: 5,
        width: 0,
        fill: () => this.lookOf(index)?.colour ?? "gray",
        filter: (plot, at) => this.dots(at),
      },
    };
  }

  /** Points are drawn where lines would hide them: where all lines have few, or one alone between gaps. */
  dots(index) {
    const isSparse = this.drawing.lines.every(({ ys }) => ys.length <= FEW_POINTS);
    const line = this.drawing.lines[index - 1];
    const places = this.drawing.joined.places[index - 1];
    if (!line) return [];
    const isThere = (at) => at >= 0 && at < line.ys.length && !Number.isNaN(line.ys[at]);
    const found = [];
    for (let at = 0; at < line.ys.length; at += 1) {
      const isAlone = !isThere(at - 1) && !isThere(at + 1);
      if (isThere(at) && (isSparse || isAlone)) found.push(places[at]);
    }
    return found;
  }

  cursor() {
    const colour = (plot, index) => this.lookOf(index)?.colour ?? "gray";
    return {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: { size: 7, width: 1.5, stroke: () => this.colours().card, fill: colour },
      dataIdx: (plot, index, closest, x) => (index === 0 ? closest : this.placeAt(index, x)),
      sync: {
        key: "plots",
        setSeries: false,
        scales: ["x", null],
        filters: { pub: (type) => SYNCED.has(type), sub: (type) => SYNCED.has(type) },
      },
      bind: { dblclick: () => () => this.told.onReset() },
    };
  }

  /** Each line answers with its own nearest point; one that has ended, or not begun, with none. */
  placeAt(index, x) {
    const line = this.drawing.lines[index - 1];
    const at = line ? nearest(line.xs, x) : -1;
    if (at < 0) return null;
    const beyond = Math.max(line.xs[0] - x, x - line.xs[line.xs.length - 1]);
    const [low, high] = this.drawing.x;
    return beyond > (high - low) * 0.02 ? null : this.drawing.joined.places[index - 1][at];
  }

  pointAt(plot) {
    const { left, top } = plot.cursor;
    if (left === undefined || left < 0) {
      this.told.onCursor(null);
      return;
    }
    const x = plot.posToVal(left, "x");
    const found = [];
    let near = null;
    let distance = NEAR_PX;
    for (let index = 1; index < plot.series.length; index += 1) {
      const line = this.drawing.lines[index - 1];
      const at = line ? nearest(line.xs, x) : -1;
      if (at < 0 || this.placeAt(index, x) === null) continue;
      found.push({ key: line.key, x: line.xs[at], value: line.ys[at], raw: line.raw?.[at] });
      const away = Math.abs(plot.valToPos(line.ys[at], "y") - top);
      if (away < distance) [near, distance] = [line.key, away];
    }
    if (this.isPointed) this.told.onHighlight(near);
    const shift = plot.bbox.left / uPlot.pxRatio;
    this.told.onCursor({ x, left: left + shift, top, found, isPointed: this.isPointed, width: plot.width });
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 6) return;
    const range = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.told.onZoom(range);
  }

  axis(more) {
    return {
      stroke: () => this.colours().soft,
      font: `11px ${this.colours().font}`,
      grid: { stroke: () => this.colours().line, width: 1 },
      ticks: { show: false },
      ...more,
    };
  }

  axisX(how) {
    const more = how.logX ? LOG_AXIS : (Object.hasOwn(X_AXES, how.mode) ? X_AXES[how.mode] : NUMBER_AXIS);
    return this.axis({ size: 26, gap: 6, space: 62, ...more, grid: { show: false } });
  }

  axisY(how) {
    const space = (plot) => (plot.height > 400 ? 52 : 34);
    return this.axis({ size: axisWidth, gap: 6, space, ...(how.logY ? LOG_AXIS : NUMBER_AXIS) });
  }
}

const SPAN_STEPS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800]
  .concat([21_600, 43_200, 86_400, 172_800, 604_800, 2_419_200, 31_536_000]);

const NUMBER_AXIS = { values: (plot, ticks) => tickLabels(ticks) };
const LOG_AXIS = {
  splits: (plot, axis, low, high, gap, space) => logTicks([low, high], Math.max(2, sideOf(plot, axis) / space)),
  filter: (plot, ticks) => ticks,
  values: (plot, ticks) => ticks.map(logTickLabel),
};
const X_AXES = {
  relative: { values: (plot, ticks) => ticks.map(spanLabel), incrs: SPAN_STEPS },
  time: { values: (plot, ticks) => timeLabels(ticks) },
};

/** About how long an axis is; the area itself is not known before its axes are. */
function sideOf(plot, axis) {
  return axis === 0 ? plot.width - 60 : plot.height - 40;
}

/** As wide as its longest label, in steps, so that it does not tremble while values come. */
function axisWidth(plot, labels) {
  const longest = (labels ?? []).reduce((most, label) => Math.max(most, (label ?? "").length), 3);
  return 16 + Math.ceil(longest / 2) * 13;
}

/** The colours of the page as the browser works them out: a canvas knows no var() and no light-dark(). */
function readTokens(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const tokens = { soft: read("soft"), line: read("line"), card: read("card"), ink: read("ink") };
  tokens.font = getComputedStyle(element).fontFamily;
  probe.remove();
  return tokens;
}
