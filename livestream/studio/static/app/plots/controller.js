// One plot while it is on the screen: follows the view and the charts, and has them drawn once a frame at most.

import { effect, signal, untracked } from "../lib.js";
import { followCharts, pointsFor } from "../data/charts.js";
import { seriesList } from "../data/series_list.js";
import { view } from "../data/view.js";
import { valueLabel } from "../core/series_scale.js";
import { LineMaker, detailOf, metricOfX, noteOf, rangesOf, summaryOf } from "./drawing.js";
import { LinePlot } from "./line.js";
import { highlighted, keysOfLines, muted, paint, zoomOf, zoomTo } from "./model.js";
import { logarithmic } from "./remembered.js";
import { Readout } from "./readout.js";

/**
 * @typedef {object} Facts What the card around the canvas says.
 * @property {"loading"|"ready"|"failed"|"empty"} phase
 * @property {string} error
 * @property {string} note
 * @property {{key: string, label: string, name: string, colour: string, value: number}[]|null} bars Single values;
 *   null: lines are drawn.
 */

const WHOLE = { from: null, to: null };

/** Lives as long as the canvas of its card; `stop` frees all of it. */
export class PlotController {
  /**
   * @param {string} name Of the metric.
   * @param {{canvas: HTMLElement, readout: HTMLElement, value: HTMLElement|null}} elements
   */
  constructor(name, { canvas, readout, value }) {
    this.name = name;
    this.canvas = canvas;
    this.value = value;
    /** @type {import("../lib.js").Signal<Facts>} */
    this.facts = signal({ phase: "loading", error: "", note: "", bars: null });
    /** Of each line over all of its steps, as the table of the full screen shows it. */
    this.summaries = signal([]);
    /** @type {import("../core/series.js").Chart[]} Of the runs, whole. */
    this.wholes = [];
    this.maker = new LineMaker();
    this.readout = new Readout(readout);
    this.readout.hide();
    this.cursor = null;
    this.frame = 0;
    this.how = null;
    this.drawing = null;
    this.line = new LinePlot(canvas, {
      onZoom: (range) => zoomTo(name, range),
      onReset: () => zoomOf(name) && zoomTo(name, null),
      onCursor: (cursor) => this.point(cursor),
      onHighlight: (key) => (highlighted.value = key),
    });
    this.charts = followCharts(() => this.schedule());
    this.sizes = new ResizeObserver(() => this.schedule());
    this.sizes.observe(canvas);
    this.ends = [
      effect(() => this.follow()),
      effect(() => this.line.highlight(highlighted.value)),
      effect(() => this.repaint()),
    ];
    this.draw(); // now, not in the next frame: what is missing is asked for sooner
  }

  stop() {
    cancelAnimationFrame(this.frame);
    for (const end of this.ends) end();
    this.charts.stop();
    this.sizes.disconnect();
    this.line.destroy();
  }

  /** Whatever is read here has the plot drawn anew when it changes. */
  follow() {
    const { x, smoothing, logX, logY, outliers, zoom } = view.value;
    this.read = [keysOfLines.value, muted.value, seriesList.value, zoom];
    const isLogY = logY !== logarithmic.value.includes(this.name);
    const text = JSON.stringify([x, smoothing, logX, isLogY, outliers, view.value.group]);
    if (text !== this.howText) {
      this.howText = text;
      const smooth = view.value.group ? 0 : smoothing;
      this.how = { mode: x, smoothing: smooth, logX, logY: isLogY, outliers };
    }
    untracked(() => this.schedule());
  }

  repaint() {
    paint.value;
    untracked(() => this.line.repaint());
  }

  schedule() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Ask for what is shown, and draw what of it is known. */
  draw() {
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (!width || !height) return;
    const zoom = zoomOf(this.name);
    const { runs, entries } = this.charted(pointsFor(width * devicePixelRatio), zoom);
    const all = this.linesOf(runs);
    const lines = all.filter((line) => !muted.value.has(line.key));
    this.wholes = runs.map((run) => run.whole);
    this.tell(lines, entries, runs);
    this.summaries.value = this.summed();
    if (this.facts.value.bars || !lines.some((line) => line.xs.length)) {
      if (this.drawing) this.line.destroy();
      this.drawing = this.facts.value.bars ? { lines, how: this.how, x: null } : null;
      return;
    }
    const looks = new Map(keysOfLines.value.map((look) => [look.key, look]));
    const how = { mode: this.how.mode, logX: this.how.logX, logY: this.how.logY };
    this.drawing = { lines, joined: this.maker.join(lines), looks, how, ...rangesOf(lines, zoom, this.how) };
    this.line.show(this.drawing, { width, height });
    this.line.highlight(highlighted.peek());
    this.writeValue();
  }

  /** The charts of the runs that have this metric, as far as they are known. */
  charted(points, zoom) {
    const listed = seriesList.value.list.find((series) => series.name === this.name);
    const having = new Set(listed?.experiments);
    const ids = keysOfLines.value.flatMap((look) => look.ids).filter((id) => having.has(id));
    const want = (experiment, name, { from, to } = WHOLE) => ({ experiment, name, points, from, to });
    const metric = metricOfX(this.how.mode);
    const wholes = ids.map((id) => want(id, this.name));
    const others = metric ? ids.map((id) => want(id, metric)) : [];
    let entries = this.charts.want([...wholes, ...others, ...(this.parts ?? [])]);
    const parts = [];
    ids.forEach((id, index) => {
      const part = detailOf(entries[index].chart, zoom, this.how.mode, id);
      if (part) parts.push(want(id, this.name, part));
    });
    this.parts = parts;
    entries = this.charts.want([...wholes, ...others, ...parts]);
    const detailed = entries.slice(wholes.length + others.length);
    const details = new Map(detailed.map((entry) => [entry.want.experiment, entry]));
    const runs = ids.map((id, index) => {
      const detail = details.get(id);
      const other = metric ? entries[wholes.length + index].chart : null;
      return { id, whole: entries[index].chart, part: detail?.chart ? detail : null, other };
    });
    return { runs: runs.filter((run) => run.whole), entries: entries.slice(0, wholes.length) };
  }

  linesOf(runs) {
    const byId = new Map(runs.map((run) => [run.id, run]));
    const lines = [];
    for (const look of keysOfLines.value) {
      const mine = look.ids.map((id) => byId.get(id)).filter(Boolean);
      if (!mine.length) continue;
      if (view.value.group) lines.push(this.maker.group(look.key, mine, this.how, view.value.smoothing));
      else lines.push(this.maker.line(mine[0], this.how));
    }
    return lines;
  }

  tell(lines, entries, runs) {
    const failed = entries.find((entry) => entry.error && !entry.chart);
    const isWaiting = !runs.length && entries.some((entry) => entry.phase === "new" || entry.phase === "asked");
    const phase = isWaiting ? "loading" : runs.length ? "ready" : failed ? "failed" : "empty";
    const isSingle = lines.some((line) => line.ys.length) && runs.every((run) => run.whole.steps.length <= 1);
    const next = {
      phase,
      error: failed?.error ?? "",
      note: noteOf(lines, this.how),
      bars: isSingle ? this.barsOf(lines, runs) : null,
    };
    if (JSON.stringify(next) !== JSON.stringify(this.facts.value)) this.facts.value = next;
  }

  /** Of a group: the mean of its runs. */
  barsOf(lines, runs) {
    const shown = new Set(lines.map((line) => line.key));
    const bars = keysOfLines.value.flatMap(({ key, label, name, colour, ids }) => {
      const mine = runs.filter((run) => ids.includes(run.id) && run.whole.last.length);
      const values = mine.map((run) => run.whole.last[0]);
      if (!shown.has(key) || !values.length) return [];
      return [{ key, label, name, colour, value: values.reduce((sum, one) => sum + one, 0) / values.length }];
    });
    return bars.sort((one, other) => other.value - one.value);
  }

  summed() {
    return keysOfLines.value.flatMap(({ key, label, name, colour, ids }) => {
      const mine = this.wholes.filter((chart) => ids.includes(chart.experiment));
      return mine.length ? [{ key, label, name, colour, ...summaryOf(mine) }] : [];
    });
  }

  point(cursor) {
    this.cursor = cursor;
    if (!cursor || !cursor.isPointed) this.readout.hide();
    else this.readout.show(cursor, this.drawing.looks, this.drawing.how.mode, highlighted.peek());
    this.writeValue();
  }

  /** In the head: the value at the cursor, or else the last one, of the only line or the one that is pointed at. */
  writeValue() {
    if (!this.value || !this.drawing?.looks) return;
    const { lines, looks } = this.drawing;
    const key = lines.length === 1 ? lines[0].key : highlighted.peek();
    const line = lines.find((one) => one.key === key);
    const at = this.cursor?.found.find((one) => one.key === key);
    const value = at ? at.value : line?.ys.findLast((one) => !Number.isNaN(one));
    this.value.textContent = value === undefined ? "" : valueLabel(value);
    this.value.style.color = lines.length === 1 ? "" : (looks.get(key)?.colour ?? "");
  }
}
