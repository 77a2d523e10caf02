// The one door to Vega: loaded when a first plot comes near the screen, run without any way out.
//
// A view gets specs that core/templates.js made, parsed to syntax trees that the interpreter walks (no code is made, as
// the page's Content-Security-Policy wants it), and a loader that refuses every address. It draws on a canvas, which
// needs no style attributes and costs the page one element. New rows are swapped in; only a new spec makes a new view.

import { ROWS, configOf, specOf } from "../core/templates.js";

const SCALE_OF_PNG = 2;
const FILE_WIDTH = 760;
let libraries = null;

/** Where a plot would reach out: nowhere. */
const refusing = {
  load: () => Promise.reject(new Error("plots load nothing")),
  sanitize: () => Promise.reject(new Error("plots link nowhere")),
  http: () => Promise.reject(new Error("plots load nothing")),
  file: () => Promise.reject(new Error("plots load nothing")),
};
const say = () => silent;
const silent = { level: say, error: say, warn: say, info: say, debug: say };

/** @returns {Promise<{vega: object, lite: object, interpreter: Function}>} Once for the page. */
function loadVega() {
  libraries ??= Promise.all([
    import("../../vendor/vega.js"),
    import("../../vendor/vega-lite.js"),
    import("../../vendor/vega-interpreter.js"),
  ]).then(([vega, lite, { expressionInterpreter }]) => ({
    vega: vega.default,
    lite: lite.default,
    interpreter: expressionInterpreter,
  }));
  libraries.catch(() => {
    libraries = null; // a connection that broke; the next plot tries again
  });
  return libraries;
}

/** A plot on the screen: drawn again and again, one drawing at a time, the newest wish wins. */
export class Chart {
  /** @param {HTMLElement} element What it draws into. @param {() => void} onDraw */
  constructor(element, onDraw = () => {}) {
    this.element = element;
    this.onDraw = onDraw;
    this.view = null;
    this.plot = null;
    this.spec = "";
    this.wish = null;
    this.busy = null;
    this.ended = false;
  }

  /** @returns {Promise<void>} When this wish, or a later one, is drawn. */
  draw(plot, options, look) {
    this.wish = { plot, options, look };
    this.busy ??= this.work().finally(() => {
      this.busy = null;
    });
    return this.busy;
  }

  async work() {
    const loaded = await loadVega();
    while (this.wish !== null && !this.ended) {
      const { plot, options, look } = this.wish;
      this.wish = null;
      const spec = specOf(plot, options, look);
      const text = JSON.stringify([spec, look]);
      if (text !== this.spec) {
        this.finish();
        this.view = viewOf(loaded, spec, look, { container: this.element, renderer: "canvas" });
        this.spec = text;
      }
      this.view.data(ROWS, plot.rows);
      await this.view.runAsync();
      this.plot = plot;
      if (!this.ended) this.onDraw();
    }
  }

  /** Take the view off the screen and out of memory. */
  end() {
    this.ended = true;
    this.finish();
  }

  finish() {
    this.view?.finalize();
    this.view = null;
    this.spec = "";
    this.element.replaceChildren();
  }
}

/** A plot as a file that can leave the page, with its title and a legend. @returns {Promise<Blob>} */
export async function pictureOf(plot, options, look, type) {
  const loaded = await loadVega();
  const width = FILE_WIDTH * Math.min(3, plot.kind.startsWith("confusion") ? plot.runs.length : 1);
  const spec = specOf(plot, { ...options, width: Math.min(width, 1600), legend: true }, look);
  const view = viewOf(loaded, spec, look, { renderer: "none" });
  try {
    view.data(ROWS, plot.rows);
    await view.runAsync();
    if (type === "svg") return new Blob([await view.toSVG()], { type: "image/svg+xml" });
    const canvas = await view.toCanvas(SCALE_OF_PNG);
    return await new Promise((done) => canvas.toBlob(done, "image/png"));
  } finally {
    view.finalize();
  }
}

function viewOf({ vega, lite, interpreter }, spec, look, options) {
  const compiled = lite.compile(spec, { config: configOf(look), logger: silent });
  const runtime = vega.parse(compiled.spec, {}, { ast: true });
  return new vega.View(runtime, { ...options, expr: interpreter, loader: refusing, logger: silent, hover: false });
}
