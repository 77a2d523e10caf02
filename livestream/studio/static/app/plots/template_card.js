// A plot that clients send whole (custom and scikit-learn ones), drawn live with DVC's templates.

import { readPlot, rowsCsv } from "../core/plot_rows.js";
import { plain } from "../core/plot_values.js";
import { SMOOTHED, dashOfLine, smoothingOf, spanOf } from "../core/templates.js";
import { plotOf } from "../data/files.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib.js";
import { Button, Dialog, Menu, MenuItem, Slider, toast } from "../parts/index.js";
import { saveBlob, saveCsv } from "../parts/save.js";
import { inkOf, look } from "./look.js";
import { useNear } from "./near.js";
import { close, open } from "./opened.js";
import { Chart, pictureOf } from "./vega.js";
import { Hover } from "./vega_hover.js";
import { useWidth } from "./width.js";

/** @param {{path: string, runs: {id: number, name: string}[], selected: number}} props */
export function TemplateCard({ path, runs, selected }) {
  const card = useRef(null);
  const near = useNear(card);
  const [height, setHeight] = useState(null);
  useLayoutEffect(() => {
    // What left the screen keeps its place.
    if (!near && card.current.dataset.span) setHeight(card.current.offsetHeight);
  }, [near]);
  return html`<article class="media-card" ref=${card} aria-label=${plain(path, 200)}>
    ${near
      ? html`<${Plotted} path=${path} runs=${runs} selected=${selected} />`
      : html`<div class="media-bone" style=${height === null ? {} : { height: `${height - 22}px` }}></div>`}
  </article>`;
}

/** The answers of all runs for a path, read as one plot, as long as the component is there. */
function usePlot(path, runs) {
  const ids = runs.map((row) => row.id).join(" ");
  const held = useMemo(() => runs.map((row) => plotOf(row.id, path)), [ids, path]);
  useEffect(() => {
    const ends = held.map((one) => one.use());
    return () => ends.forEach((end) => end());
  }, [held]);
  const answers = held.map((one) => one.answer.value);
  const names = runs.map((row) => row.name).join("\n");
  return useMemo(() => {
    const sent = answers.flatMap(({ content }, at) => {
      if (content === null) return [];
      return [{ id: runs[at].id, label: runs[at].name, props: content.plot.props, rows: content.rows }];
    });
    const failed = answers.find((answer) => answer.phase === "failed");
    const waits = sent.length === 0 && failed === undefined;
    const plot = waits ? null : readPlot(path, sent);
    return { sent, plot, step: stepOf(answers), error: failed?.error ?? "", waits };
  }, [...answers, names]);
}

function stepOf(answers) {
  const steps = answers.filter(({ content }) => content !== null).map(({ content }) => content.plot.step);
  return steps.length > 0 ? Math.max(...steps) : null;
}

function Plotted({ path, runs, selected, isFull = false }) {
  const box = useRef(null);
  const { sent, plot, step, error, waits } = usePlot(path, runs);
  const [smoothing, setSmoothing] = useState(null);
  const amount = smoothing ?? (plot ? smoothingOf(plot) : 0);
  useLayoutEffect(() => {
    const card = box.current?.closest(".media-card");
    if (card && plot) card.dataset.span = String(spanOf(plot));
  }, [plot]);
  if (waits) return html`<div class="media-bone" ref=${box}></div>`;
  const isDrawn = plot.kind !== "table" && plot.kind !== "empty";
  const notes = [...(error ? [error] : []), ...plot.notes];
  return html`<div class="media-plot" ref=${box}>
    <header>
      <h4 title=${plain(path, 400)}>${plot.title}</h4>
      <span class="media-step">${step === null ? "" : `step ${step.toLocaleString("en-US")}`}</span>
      <span class="media-tools">
        ${isDrawn && !isFull &&
        html`<${Button} icon="expand" title="Full screen" kind="plain" onClick=${() => open("plot", path)} />`}
        <${Menu} icon="more" title="Download" kind="plain" align="right">
          ${(leave) => html`<${Downloads} ...${{ plot, sent, amount, isDrawn, leave }} />`}
        <//>
      </span>
    </header>
    <${Legend} plot=${plot} runs=${isFull && plot.runs.length > 1 ? plot.runs : []} />
    ${isDrawn && html`<${Drawing} plot=${plot} smoothing=${amount} isFull=${isFull} />`}
    ${plot.kind === "table" && html`<${Rows} table=${plot.table} />`}
    ${plot.kind === "empty" && html`<p class="media-none">No rows yet.</p>`}
    ${SMOOTHED.has(plot.kind) && plot.xType === "number" && plot.size > 3 &&
    html`<${Smoothing} value=${amount} onInput=${setSmoothing} />`}
    ${notes.length > 0 && html`<ul class="media-notes">${notes.map((note) => html`<li key=${note}>${note}</li>`)}</ul>`}
    ${runs.length < selected && html`<p class="media-part">${runs.length} of ${selected} runs have it.</p>`}
  </div>`;
}

function Smoothing({ value, onInput }) {
  return html`<div class="media-tune">
    <${Slider} label="Smoothing" min=${0} max=${1} step=${0.02} shown=${value.toFixed(2)} ...${{ value, onInput }} />
  </div>`;
}

/** Who is who stands above the pane; here only what that does not say. */
function Legend({ plot, runs }) {
  if (runs.length === 0 && plot.lines.length === 0) return null;
  return html`<ul class="media-legend">
    ${runs.map(
      (run) => html`<li key=${run.id}>
        <i class="run-swatch" style=${{ background: inkOf(run.id) }}></i>${run.label}
      </li>`,
    )}
    ${plot.lines.map((line, at) => html`<li key=${line}><${Dash} index=${at} />${line}</li>`)}
  </ul>`;
}

function Dash({ index }) {
  const dash = index === 0 ? "none" : dashOfLine(index).join(" ");
  return html`<svg width="22" height="4" aria-hidden="true">
    <line x1="0" x2="22" y1="2" y2="2" stroke-dasharray=${dash} />
  </svg>`;
}

/** The canvas of a plot, kept for as long as the plot is near the screen. */
function Drawing({ plot, smoothing, isFull }) {
  const box = useRef(null);
  const canvas = useRef(null);
  const kept = useRef(null);
  const [error, setError] = useState("");
  const width = useWidth(box);
  const paint = look.value;
  const colours = plot.runs.map((run) => inkOf(run.id));
  useEffect(() => {
    const chart = new Chart(canvas.current, () => hover.refresh(kept.current.colours));
    const hover = new Hover(box.current, chart);
    kept.current = { chart, hover, colours: new Map() };
    return () => {
      hover.end();
      chart.end();
    };
  }, []);
  useEffect(() => {
    if (width === 0) return;
    kept.current.colours = new Map(plot.runs.map((run, at) => [run.label, colours[at]]));
    const height = isFull ? Math.max(240, innerHeight - 260) : undefined;
    kept.current.chart.draw(plot, { width, height, smoothing }, { ...paint, colours }).then(
      () => setError(""),
      (problem) => setError(`It could not be drawn: ${problem.message}`),
    );
  }, [plot, smoothing, width, paint, colours.join(), isFull]);
  return html`<div class="media-drawing" data-kind=${plot.kind} ref=${box}>
    <div class="media-canvas" role="img" aria-label=${spoken(plot)} ref=${canvas}></div>
    ${error && html`<p class="media-none">${error}</p>`}
  </div>`;
}

function spoken(plot) {
  return `${plot.title}: ${plot.yTitle} by ${plot.xTitle}, ${plot.runs.map((run) => run.label).join(", ")}`;
}

function Rows({ table }) {
  return html`<div class="media-table" tabindex="0" role="region" aria-label="Rows">
    <table>
      <thead><tr>${table.columns.map((name, at) => html`<th key=${at} scope="col">${name}</th>`)}</tr></thead>
      <tbody>
        ${table.rows.map((row, at) => html`<tr key=${at}>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

function Downloads({ plot, sent, amount, isDrawn, leave }) {
  const picture = async (type) => {
    leave();
    const colours = plot.runs.map((run) => inkOf(run.id));
    try {
      const blob = await pictureOf(plot, { smoothing: amount }, { ...look.peek(), colours }, type);
      saveBlob(blob, `${plot.title}.${type}`);
    } catch (error) {
      toast(`The picture could not be made: ${error.message}`, { kind: "bad" });
    }
  };
  const rows = () => {
    leave();
    saveCsv(rowsCsv(sent), `${plot.title}.csv`);
  };
  return html`
    ${isDrawn && html`<${MenuItem} icon="download" onClick=${() => picture("png")}>PNG<//>`}
    ${isDrawn && html`<${MenuItem} icon="download" onClick=${() => picture("svg")}>SVG<//>`}
    <${MenuItem} icon="download" disabled=${plot.kind === "empty"} onClick=${rows}>Rows as CSV<//>
  `;
}

/** The same on the whole screen. */
export function FullPlot({ path, runs }) {
  return html`<${Dialog} title=${plain(path, 160)} wide=${true} className="media-full" onClose=${close}>
    <div class="media-card"><${Plotted} path=${path} runs=${runs} selected=${runs.length} isFull=${true} /></div>
  <//>`;
}
