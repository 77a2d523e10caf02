// The hands on a chart: who points at it, dragging along with shift, and the keys.

const ZOOM_STEP = 0.25;
const PAN_STEP = 0.15;

/**
 * @param {import("./line.js").LinePlot} chart
 * @returns {() => void} Ends it.
 */
export function bindGestures(chart) {
  const { over } = chart.plot;
  const ends = new AbortController();
  const on = (name, listener, more) => over.addEventListener(name, listener, { signal: ends.signal, ...more });
  on("mouseenter", () => (chart.isPointed = true));
  on("mouseleave", () => chart.leave());
  // before uPlot's own listener, which begins to select
  const onDown = (event) => event.shiftKey && pan(chart, event);
  chart.plot.root.addEventListener("mousedown", onDown, { signal: ends.signal, capture: true });
  return () => ends.abort();
}

function pan(chart, begun) {
  if (begun.button !== 0) return;
  begun.preventDefault();
  begun.stopPropagation();
  const from = chart.drawing.x;
  const { plot } = chart;
  const width = plot.over.clientWidth;
  const ends = new AbortController();
  let range = from;
  const onMove = (event) => {
    range = moved(from, -(event.clientX - begun.clientX) / width, chart.drawing.how.logX);
    chart.move(range);
  };
  const onUp = () => {
    ends.abort();
    if (range !== from) chart.told.onZoom(range);
  };
  addEventListener("mousemove", onMove, { signal: ends.signal });
  addEventListener("mouseup", onUp, { signal: ends.signal });
}

/** @returns {[number, number]} A range moved by a part of itself. */
function moved([low, high], part, isLog) {
  if (isLog) return [low * (high / low) ** part, high * (high / low) ** part];
  const by = (high - low) * part;
  return [low + by, high + by];
}

function scaled([low, high], part, isLog) {
  if (isLog) return [low * (high / low) ** part, high * (low / high) ** part];
  const by = (high - low) * part;
  return [low + by, high - by];
}

/** What a key does to a chart that has the focus. @returns {boolean} Whether it did anything. */
export function onChartKey(chart, event) {
  if (!chart.plot || event.ctrlKey || event.metaKey || event.altKey) return false;
  const { x, how } = chart.drawing;
  const actions = {
    "+": () => chart.told.onZoom(scaled(x, ZOOM_STEP, how.logX)),
    "=": () => chart.told.onZoom(scaled(x, ZOOM_STEP, how.logX)),
    "-": () => chart.told.onZoom(scaled(x, -ZOOM_STEP, how.logX)),
    0: () => chart.told.onReset(),
    ArrowLeft: () => (event.shiftKey ? chart.told.onZoom(moved(x, -PAN_STEP, how.logX)) : walk(chart, -1)),
    ArrowRight: () => (event.shiftKey ? chart.told.onZoom(moved(x, PAN_STEP, how.logX)) : walk(chart, 1)),
  };
  if (!Object.hasOwn(actions, event.key)) return false;
  actions[event.key]();
  return true;
}

/** Move the cursor by a pixel's worth of points, or by ten pixels. */
function walk(chart, direction) {
  const { plot } = chart;
  const width = plot.over.clientWidth;
  const from = plot.cursor.left >= 0 ? plot.cursor.left : width / 2;
  const left = Math.max(0, Math.min(width, from + direction * 8));
  chart.isPointed = true;
  plot.setCursor({ left, top: plot.over.clientHeight / 2 });
}
