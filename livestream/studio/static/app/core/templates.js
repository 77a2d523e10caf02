// The nine templates of DVC as our own Vega-Lite specs, in the look of the page.
//
// Theory. A spec is made from a plot that plot_rows.js has read, so its fields are ours (run, line, x, y, ...), its
// expressions are the constants below, and foreign text stands in it only where text is meant: titles and the domain of
// the colours. Rows are no part of it: it names the data set "rows", which the view fills and swaps. So a spec changes
// only when the shape, the size or the look does, and two specs are the same if their JSON is.
//
// simple       lines over x                          scatter, scatter_jitter   points; spread where they would coincide
// linear       lines with a smoothing that is off    confusion, ..._normalized counts of pairs; shares of each row
// smooth       lines with a smoothing that is on     bar_horizontal, ..._sorted a bar a category and run

/** Name of the data set that a view fills. */
export const ROWS = "rows";
/** Kinds of plots whose lines can be smoothed. */
export const SMOOTHED = new Set(["linear", "smooth"]);

const LINE_HEIGHT = 264;
const BAR_HEIGHT = 12;
const BAR_GAP = 10;
const MIN_MATRIX = 240; // with its share of the axis
const MAX_MATRIX = 360;
const LETTER_PX = 6.5;
const LABELLED_CLASSES = 14;
const FEW_POINTS = 40;
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 4], [1, 3], [6, 2, 1, 2]];

/**
 * @typedef {object} Look
 * @property {string} card @property {string} ink @property {string} soft @property {string} line
 * @property {string} accent @property {string} none Colours that every reader of an SVG knows, such as "#3b5bdb".
 * @property {string} font
 * @property {string[]} colours Of the runs.
 */

/**
 * @param {import("./plot_rows.js").Plot} plot
 * @param {{width: number, height?: number, smoothing?: number, legend?: boolean}} options `width` of everything, in
 *   pixels; `height` of the area of lines and points; `legend`:
 *   with a title and a legend in it, for a file that leaves the page.
 * @param {Look} look
 * @returns {object} A Vega-Lite spec.
 */
export function specOf(plot, { width, height = LINE_HEIGHT, smoothing = 0, legend = false }, look) {
  const made = shapeOf(plot, { width, height, smoothing, legend }, look);
  const title = legend ? { title: { text: plot.title, anchor: "start", offset: 14 } } : {};
  const frame = { background: look.card, padding: legend ? 16 : 4 };
  return { data: { name: ROWS, format: { parse: null } }, ...frame, ...title, ...made };
}

function shapeOf(plot, options, look) {
  switch (plot.kind) {
    case "simple":
    case "linear":
    case "smooth":
      return lines(plot, options, look);
    case "scatter":
    case "scatter_jitter":
      return points(plot, options, look);
    case "confusion":
    case "confusion_normalized":
      return matrix(plot, options, look);
    default:
      return bars(plot, options, look);
  }
}

/** Smoothing that a template begins with: the part of the rows that a point of the line looks at. */
export function smoothingOf(plot) {
  return plot.kind === "smooth" ? 0.3 : 0;
}

/** Columns of the grid that a plot wants, 1 to 3: matrices stand side by side. */
export function spanOf(plot) {
  const runs = plot.kind.startsWith("confusion") ? plot.runs.length : 1;
  return runs === 1 ? 1 : runs <= 3 ? 2 : 3;
}

function lines(plot, { width, height, smoothing, legend }, look) {
  const isFew = plot.size <= FEW_POINTS;
  const isSmoothed = smoothing > 0 && plot.xType === "number" && plot.size > 3;
  const drawn = { type: "line", strokeWidth: 1.8, strokeJoin: "round", strokeCap: "round", clip: true };
  const raw = { ...drawn, point: isFew ? { filled: true, size: 26 } : false, opacity: isSmoothed ? 0.25 : 1 };
  const layers = [{ mark: raw, encoding: { y: yOf(plot) } }];
  if (plot.diagonal) layers.unshift(diagonal(look));
  if (isSmoothed) {
    layers.push({
      mark: { ...drawn, strokeWidth: 2.2 },
      transform: [{ loess: "y", on: "x", groupby: ["run", "line"], bandwidth: { signal: "bandwidth" } }],
      encoding: { y: yOf(plot) },
    });
  }
  return {
    width: innerWidth(width),
    height,
    autosize: { type: "fit-x", contains: "padding" },
    ...(isSmoothed ? { params: [{ name: "bandwidth", value: smoothing }] } : {}),
    layer: layers,
    encoding: { x: xOf(plot), color: colourOf(plot, look, legend), ...dashOf(plot, legend), order: { value: null } },
  };
}

function diagonal(look) {
  return {
    data: { values: [{ x: 0, y: 0 }, { x: 1, y: 1 }] },
    mark: { type: "line", strokeWidth: 1, strokeDash: [4, 4] },
    encoding: { y: { field: "y", type: "quantitative" }, color: { value: look.soft }, strokeDash: { value: [4, 4] } },
  };
}

function points(plot, { width, height, legend }, look) {
  const spread = { type: "quantitative", scale: { domain: [-0.5, 0.5], zero: false } };
  const jitter = (field, type) =>
    plot.kind === "scatter_jitter" && type === "text" ? { [`${field}Offset`]: { field: `j${field}`, ...spread } } : {};
  const titled = legend ? { title: null } : null;
  return {
    width: innerWidth(width),
    height,
    autosize: { type: "fit-x", contains: "padding" },
    mark: { type: "point", filled: true, size: 34, opacity: plot.size > 300 ? 0.5 : 0.75, strokeWidth: 0 },
    encoding: {
      x: xOf(plot),
      y: yOf(plot),
      ...jitter("x", plot.xType),
      ...jitter("y", plot.yType),
      color: colourOf(plot, look, legend),
      ...(plot.lines.length > 1 ? { shape: { field: "line", type: "nominal", legend: titled } } : {}),
    },
  };
}

function bars(plot, { width, legend }, look) {
  const runs = plot.runs.length;
  const step = BAR_GAP + Math.max(BAR_HEIGHT, runs * (runs > 3 ? 7 : 9));
  const sort = { field: "order", op: "min" };
  return {
    width: innerWidth(width),
    height: Math.max(120, plot.size * step),
    autosize: { type: "fit-x", contains: "padding" },
    mark: { type: "bar", cornerRadiusEnd: 2, height: { band: 0.92 } },
    encoding: {
      x: { ...xOf(plot), scale: { zero: true, nice: true }, stack: null },
      y: {
        field: "y",
        type: "nominal",
        sort,
        title: plot.yTitle,
        scale: { paddingInner: 0.28 },
        axis: { grid: false, labelLimit: 140 },
      },
      ...(runs > 1 ? { yOffset: { field: "run", type: "nominal", scale: { domain: labels(plot) } } } : {}),
      color: colourOf(plot, look, legend),
    },
  };
}

/** Matrices of the runs beside one another, as many as fit. */
function matrix(plot, { width, height }, look) {
  const runs = plot.runs.length;
  const columns = Math.max(1, Math.min(runs, Math.floor(width / MIN_MATRIX)));
  const most = Math.max(MAX_MATRIX, height);
  const side = Math.max(90, Math.min(most, Math.floor((width - 110) / columns) - 14));
  const cell = side / plot.size;
  const isTold = plot.size <= LABELLED_CLASSES && cell >= 22; // by numbers, which need no legend
  const spec = {
    width: side,
    height: side,
    encoding: matrixAxes(plot, cell),
    layer: [
      {
        mark: { type: "rect", stroke: look.card, strokeWidth: plot.size > 25 ? 0 : 1.5 },
        encoding: { color: shadeOf(plot, side, look, isTold) },
      },
      ...(isTold ? [cellText(plot, cell, look)] : []),
    ],
  };
  if (runs === 1) return spec;
  const label = { labelFontSize: 12, labelFontWeight: 600, labelColor: look.ink, labelLimit: side, labelPadding: 8 };
  const header = { title: null, ...label };
  const facet = { field: "run", type: "nominal", sort: { field: "place", op: "min" }, header };
  return { facet, columns, spacing: 16, spec };
}

function matrixAxes(plot, cell) {
  const longest = Math.max(...plot.rows.map((row) => row.x.length));
  const upright = longest * LETTER_PX < cell ? { labelAngle: 0 } : {};
  const bare = { grid: false, ticks: false, domain: false };
  const axis = { ...bare, labelOverlap: "greedy", labelLimit: 90, labelPadding: 6 };
  const field = (name, title, order, more) => ({
    field: name,
    type: "nominal",
    sort: { field: order, op: "min" },
    title,
    axis: { ...axis, ...more },
  });
  return { x: field("x", plot.xTitle, "column", upright), y: field("y", plot.yTitle, "row", {}) };
}

function shadeOf(plot, side, look, isTold) {
  const isShare = plot.kind === "confusion_normalized";
  const domain = isShare ? { domain: [0, 1] } : { domainMin: 0, nice: true };
  const gradient = { gradientLength: Math.min(side, 140), gradientThickness: 8 };
  return {
    field: isShare ? "share" : "n",
    type: "quantitative",
    scale: { range: [look.none, look.accent], ...domain },
    legend: isTold ? null : { title: null, format: isShare ? ".0%" : "~s", tickCount: 3, ...gradient },
  };
}

function cellText(plot, cell, look) {
  const isShare = plot.kind === "confusion_normalized";
  return {
    mark: { type: "text", fontSize: cell > 44 ? 12 : 10, baseline: "middle" },
    encoding: {
      text: { field: isShare ? "share" : "n", type: "quantitative", format: isShare ? ".2f" : "," },
      color: { condition: { test: "datum.share > 0.5", value: look.card }, value: look.ink },
    },
  };
}

function xOf(plot) {
  if (plot.xType === "text") {
    const axis = { labelAngle: isLong(plot) ? -40 : 0, labelOverlap: "greedy", labelLimit: 90, grid: false };
    return { ...textAxis("x", plot.xTitle), axis };
  }
  const scale = { zero: false, nice: false, padding: plot.kind.startsWith("scatter") ? 8 : 2 };
  return { field: "x", type: "quantitative", title: plot.xTitle, scale };
}

/** Whether the categories of x would not stand beside one another. */
function isLong(plot) {
  const texts = new Set(plot.rows.map((row) => row.x));
  return [...texts].reduce((sum, text) => sum + text.length + 2, 0) > 50;
}

function yOf(plot) {
  if (plot.yType === "text") return { ...textAxis("y", plot.yTitle), axis: { labelLimit: 110, grid: false } };
  return { field: "y", type: "quantitative", title: plot.yTitle, scale: { zero: false, nice: true } };
}

function textAxis(name, title) {
  return { field: name, type: "nominal", title, sort: { field: `${name}Order`, op: "min" } };
}

function colourOf(plot, look, legend) {
  const shown = legend && plot.runs.length > 1 ? { title: null, orient: "bottom", columns: 3, labelLimit: 220 } : null;
  return { field: "run", type: "nominal", scale: { domain: labels(plot), range: look.colours }, legend: shown };
}

function dashOf(plot, legend) {
  if (plot.lines.length < 2) return { detail: { field: "line", type: "nominal" } };
  const shown = legend ? { title: null, orient: "bottom", columns: 3 } : null;
  const scale = { domain: plot.lines, range: DASHES };
  return { strokeDash: { field: "line", type: "nominal", scale, legend: shown } };
}

/** How a line of several columns is dashed: pixels drawn, pixels left out. */
export function dashOfLine(index) {
  return DASHES[index % DASHES.length];
}

function labels(plot) {
  return plot.runs.map((run) => run.label);
}

function innerWidth(width) {
  return Math.max(120, width);
}

/** Fonts, axes and legends in the colours of the page. @param {Look} look */
export function configOf(look) {
  const sizes = { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 500, titleLimit: 320 };
  const text = { labelColor: look.soft, titleColor: look.soft, ...sizes };
  return {
    font: look.font,
    axis: {
      ...text,
      gridColor: look.line,
      domain: false,
      ticks: false,
      labelPadding: 6,
      titlePadding: 8,
      tickCount: 5,
      labelLimit: 140,
    },
    legend: { ...text, symbolSize: 60, symbolStrokeWidth: 2 },
    title: { color: look.ink, fontSize: 14, fontWeight: 600, limit: 700 },
    view: { stroke: null },
    header: { labelColor: look.ink },
  };
}
