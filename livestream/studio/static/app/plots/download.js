// Taking a plot along: as a picture, or as the numbers that are shown.

import { linesCsv } from "../core/series_groups.js";
import { svgOf } from "../core/series_svg.js";
import { address } from "../data/api.js";
import { saveBlob, saveCsv } from "../parts/save.js";
import { keysOfLines } from "./model.js";

const PAD = 16;
const TITLE_PX = 15;
const LEGEND_PX = 12;
const ROW_PX = 18;
const MAX_LEGEND = 24;

/** The canvas as it is, with a title and who is who. */
export function downloadPng(name, plot) {
  const source = plot?.line.plot?.ctx.canvas;
  if (!source) return;
  const ratio = devicePixelRatio;
  const looks = shownLooks(plot);
  const legend = Math.ceil(looks.length / 2) * ROW_PX + PAD;
  const canvas = document.createElement("canvas");
  canvas.width = source.width + 2 * PAD * ratio;
  canvas.height = source.height + (3 * PAD + TITLE_PX + legend) * ratio;
  const context = canvas.getContext("2d");
  const { card, ink, soft, font } = plot.line.colours();
  context.fillStyle = card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, PAD * ratio, (2 * PAD + TITLE_PX) * ratio);
  context.scale(ratio, ratio);
  context.fillStyle = ink;
  context.font = `600 ${TITLE_PX}px ${font}`;
  context.fillText(name, PAD, PAD + TITLE_PX - 2, source.width / ratio);
  context.font = `${LEGEND_PX}px ${font}`;
  const half = source.width / ratio / 2;
  looks.forEach((look, index) => {
    const x = PAD + (index % 2) * half;
    const y = 3 * PAD + TITLE_PX + source.height / ratio + Math.floor(index / 2) * ROW_PX;
    context.fillStyle = look.colour;
    context.fillRect(x, y - 7, 10, 3);
    context.fillStyle = soft;
    context.fillText(look.name, x + 18, y, half - 30);
  });
  canvas.toBlob((blob) => blob && saveBlob(blob, `${name}.png`), "image/png");
}

/** The lines as vectors, that every program opens. */
export function downloadSvg(name, plot) {
  if (!plot?.drawing?.x) return;
  const { card, ink, soft, line, font } = plot.line.colours();
  const text = svgOf(plot.drawing, name, { card, ink, soft, line, font });
  saveBlob(new Blob([text], { type: "image/svg+xml" }), `${name}.svg`);
}

/** Exactly the points that are seen. */
export function downloadCsv(name, plot) {
  if (!plot?.drawing) return;
  const { lines, how, x } = plot.drawing;
  const labels = new Map(keysOfLines.value.map((look) => [look.key, look.name]));
  saveCsv(linesCsv(lines, labels, how.mode, x), `${name}.csv`);
}

/** @returns {{id: number, label: string, href: URL}[]} Where every stored row of the metric is, a file a run. */
export function rowsAddresses(name, plot) {
  const looks = new Map(keysOfLines.value.flatMap((look) => look.ids.map((id) => [id, look])));
  return (plot?.wholes ?? []).slice(0, MAX_LEGEND).map(({ experiment, series }) => ({
    id: experiment,
    label: looks.get(experiment)?.ids.length === 1 ? looks.get(experiment).label : `#${experiment}`,
    href: address(`api/experiments/${experiment}/export`, { format: "csv", series }).href,
  }));
}

function shownLooks(plot) {
  const shown = new Set(plot.drawing.lines.map((line) => line.key));
  return keysOfLines.value.filter((look) => shown.has(look.key)).slice(0, MAX_LEGEND);
}
