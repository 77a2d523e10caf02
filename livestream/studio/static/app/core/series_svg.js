// A drawing as an SVG that stands alone: lines, bands, axes and names, no script and no foreign markup.

import { linearTicks, logTickLabel, logTicks, spanLabel, tickLabels } from "./series_scale.js";

const WIDTH = 800;
const HEIGHT = 420;
const EDGE = { left: 64, right: 20, top: 44, bottom: 36 };
const ROW = 18;

/**
 * @param {{lines: import("./series.js").Line[], looks: Map, x: [number, number], y: [number, number],
 *   how: {mode: string, logX: boolean, logY: boolean}}} drawing
 * @param {string} title
 * @param {{card: string, ink: string, soft: string, line: string, font: string}} colours
 * @returns {string}
 */
export function svgOf({ lines, looks, x, y, how }, title, colours) {
  const toX = scale(x, [EDGE.left, WIDTH - EDGE.right], how.logX);
  const toY = scale(y, [HEIGHT - EDGE.bottom, EDGE.top], how.logY);
  const height = HEIGHT + Math.ceil(lines.length / 2) * ROW + 8;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"` +
      ` font-family="${escaped(colours.font)}" font-size="11">`,
    `<rect width="100%" height="100%" fill="${colours.card}"/>`,
    `<clipPath id="area"><rect x="${EDGE.left}" y="${EDGE.top}" width="${WIDTH - EDGE.left - EDGE.right}"` +
      ` height="${HEIGHT - EDGE.top - EDGE.bottom}"/></clipPath>`,
    `<text x="16" y="26" font-size="15" font-weight="600" fill="${colours.ink}">${escaped(title)}</text>`,
    axes(x, y, how, toX, toY, colours),
    `<g clip-path="url(#area)" fill="none" stroke-linejoin="round">`,
    ...lines.map((line) => shape(line, looks.get(line.key)?.colour ?? "gray", toX, toY, y[0])),
    "</g>",
    ...lines.map((line, index) => legend(looks.get(line.key), index, colours)),
    "</svg>",
  ];
  return parts.join("\n");
}

function scale([low, high], [from, to], isLog) {
  const measure = isLog ? Math.log : (value) => value;
  const span = measure(high) - measure(low) || 1;
  return (value) => from + ((measure(value) - measure(low)) / span) * (to - from);
}

function axes(x, y, how, toX, toY, { line, soft }) {
  const ticksX = how.logX ? logTicks(x) : linearTicks(x);
  const ticksY = how.logY ? logTicks(y) : linearTicks(y);
  const words = how.logX ? ticksX.map(logTickLabel) : xWords(ticksX, how.mode);
  const wordsY = how.logY ? ticksY.map(logTickLabel) : tickLabels(ticksY);
  const across = ticksY.map((tick, index) => {
    const at = toY(tick).toFixed(1);
    return (
      `<path d="M${EDGE.left} ${at}H${WIDTH - EDGE.right}" stroke="${line}"/>` +
      `<text x="${EDGE.left - 8}" y="${at}" dy="4" text-anchor="end" fill="${soft}">${wordsY[index]}</text>`
    );
  });
  const below = ticksX.map(
    (tick, index) =>
      `<text x="${toX(tick).toFixed(1)}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle" fill="${soft}">` +
      `${words[index]}</text>`,
  );
  return [...across, ...below].join("");
}

function xWords(ticks, mode) {
  if (mode === "relative") return ticks.map(spanLabel);
  if (mode === "time") return ticks.map((tick) => new Date(tick * 1000).toISOString().slice(0, 19).replace("T", " "));
  return tickLabels(ticks);
}

function shape(line, colour, toX, toY, bottom) {
  const parts = [];
  if (line.low) parts.push(`<path d="${band(line, toX, toY, bottom)}" fill="${colour}" fill-opacity=".16"/>`);
  if (line.raw) parts.push(`<path d="${path(line.xs, line.raw, toX, toY)}" stroke="${colour}" stroke-opacity=".3"/>`);
  const drawn = path(line.xs, line.ys, toX, toY);
  parts.push(`<path d="${drawn}" stroke="${colour}" stroke-width="1.5" stroke-linecap="round"/>`);
  return parts.join("");
}

function path(xs, ys, toX, toY) {
  let isOpen = false;
  let text = "";
  for (let index = 0; index < xs.length; index += 1) {
    if (Number.isNaN(ys[index])) {
      isOpen = false;
      continue;
    }
    const at = `${toX(xs[index]).toFixed(1)} ${toY(ys[index]).toFixed(1)}`;
    text += isOpen ? `L${at}` : `M${at}h0`; // a point alone is a dot
    isOpen = true;
  }
  return text;
}

function band({ xs, low, high }, toX, toY, bottom) {
  const there = xs.map((_, index) => index).filter((index) => !Number.isNaN(high[index]));
  const at = (index, value) => `${toX(xs[index]).toFixed(1)} ${toY(Number.isNaN(value) ? bottom : value).toFixed(1)}`;
  const up = there.map((index) => at(index, high[index]));
  const down = there.reverse().map((index) => at(index, low[index]));
  return up.length ? `M${[...up, ...down].join("L")}Z` : "";
}

function legend(look, index, { soft }) {
  const x = 16 + (index % 2) * (WIDTH / 2);
  const y = HEIGHT + Math.floor(index / 2) * ROW;
  return (
    `<path d="M${x} ${y - 4}h10" stroke="${look?.colour ?? "gray"}" stroke-width="3"/>` +
    `<text x="${x + 18}" y="${y}" font-size="12" fill="${soft}">${escaped((look?.name ?? "").slice(0, 60))}</text>`
  );
}

/** Text in XML 1.0: no markup, and none of the characters that XML cannot hold. */
function escaped(text) {
  const letters = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  const known = text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "");
  return known.replace(/[&<>"]/g, (one) => letters[one]);
}
