// One plot in the grid. Its height is fixed and its canvas exists only near the window, so that a thousand cost little.

import { Fragment, html, useLayoutEffect, useRef, useState } from "../lib.js";
import { changeView, view } from "../data/view.js";
import { Button, Icon, Menu, MenuItem, Spinner } from "../parts/index.js";
import { PlotController } from "./controller.js";
import { downloadCsv, downloadPng, downloadSvg, rowsAddresses } from "./download.js";
import { onChartKey } from "./gestures.js";
import { zoomTo } from "./model.js";
import { logarithmic } from "./remembered.js";
import { valueLabel } from "../core/series_scale.js";
import { useNear } from "./near.js";

/** @param {{name: string, section: string}} props */
export function PlotCard({ name, section }) {
  const element = useRef(null);
  const isNear = useNear(element);
  const [plot, setPlot] = useState(null);
  const value = useRef(null);
  const short = name.startsWith(`${section}/`) ? name.slice(section.length + 1) : name;
  return html`<article class="plot-card" ref=${element} aria-label=${name}>
    <header>
      <h4 title=${name}><bdi>${short}</bdi></h4>
      <output class="plot-value" ref=${value}></output>
      ${isNear && html`<${CardTools} name=${name} plot=${plot} />`}
    </header>
    ${isNear && html`<${PlotArea} name=${name} value=${value} onPlot=${setPlot} />`}
  </article>`;
}

/** The canvas of a plot, its readout, and what is said where there is nothing to draw. */
export function PlotArea({ name, value, onPlot }) {
  const [plot, setPlot] = useState(null);
  const canvas = useRef(null);
  const readout = useRef(null);
  useLayoutEffect(() => {
    const elements = { canvas: canvas.current, readout: readout.current, value: value?.current ?? null };
    const made = new PlotController(name, elements);
    setPlot(made);
    onPlot?.(made);
    return () => made.stop();
  }, [name]);
  const facts = plot?.facts.value;
  const onKeyDown = (event) => {
    if (plot && !facts.bars && onChartKey(plot.line, event)) event.preventDefault();
  };
  return html`<div class="plot-area">
    <div
      class="plot-canvas"
      ref=${canvas}
      role="img"
      tabindex=${facts?.bars ? undefined : "0"}
      aria-label=${`Chart of ${name}; arrow keys move the cursor, plus and minus zoom, 0 shows all`}
      onKeyDown=${onKeyDown}
    ></div>
    ${facts && html`<${Said} facts=${facts} />`}
    <div class="plot-readout" ref=${readout}></div>
  </div>`;
}

function Said({ facts }) {
  const { phase, error, note, bars } = facts;
  return html`<${Fragment}>
    ${phase === "loading" && html`<div class="plot-said"><${Spinner} /></div>`}
    ${phase === "failed" && html`<p class="plot-said">${error}</p>`}
    ${phase === "empty" && html`<p class="plot-said">No rows yet</p>`}
    ${note && html`<p class="plot-note" title=${note}>${note}</p>`}
    ${bars && html`<${Bars} bars=${bars} />`}
  <//>`;
}

/** Values that were logged once, from the same zero. */
function Bars({ bars }) {
  const most = bars.reduce((top, bar) => Math.max(top, Number.isFinite(bar.value) ? Math.abs(bar.value) : 0), 0) || 1;
  return html`<ul class="plot-bars" tabindex="0" aria-label="Values">
    ${bars.map(
      (bar) => html`<li key=${bar.key}>
        <span title=${bar.name}><bdi>${bar.label}</bdi></span>
        <i style=${{ width: `${(Math.abs(bar.value) / most) * 100 || 0}%`, background: bar.colour }}></i>
        <b>${valueLabel(bar.value)}</b>
      </li>`,
    )}
  </ul>`;
}

/** What can be done with one plot. */
export function CardTools({ name, plot, isFull = false }) {
  const { favourites, zoom } = view.value;
  const isPinned = favourites.includes(name);
  const others = favourites.filter((one) => one !== name);
  const pin = () => changeView({ favourites: isPinned ? others : [...others, name] }, { step: true });
  const enlarge = () => changeView({ full: name }, { step: true });
  const reset = () => zoomTo(name, null);
  const isZoomed = Object.hasOwn(zoom, name);
  return html`<span class="plot-tools">
    ${isZoomed && html`<${Button} icon="undo" title="Show all of it again" kind="plain" onClick=${reset} />`}
    <${Button} icon="star" title=${isPinned ? "Unpin" : "Pin on top"} pressed=${isPinned} kind="plain" onClick=${pin} />
    ${!isFull && html`<${Button} icon="expand" title="Full screen" kind="plain" onClick=${enlarge} />`}
    <${Menu} icon="more" title=${`More for ${name}`} kind="plain" align="right">
      ${(close) => html`<${CardMenu} name=${name} plot=${plot} close=${close} />`}
    <//>
  </span>`;
}

function CardMenu({ name, plot, close }) {
  const isOther = logarithmic.value.includes(name);
  const isLog = view.value.logY !== isOther;
  const toggleLog = () => {
    logarithmic.value = isOther ? logarithmic.value.filter((one) => one !== name) : [...logarithmic.value, name];
  };
  const then = (action) => () => {
    action();
    close();
  };
  return html`<${Fragment}>
    <${MenuItem} icon="chart" checked=${isLog} onClick=${then(toggleLog)}>Logarithmic y<//>
    <hr />
    <${MenuItem} icon="download" onClick=${then(() => downloadPng(name, plot))}>Picture (PNG)<//>
    <${MenuItem} icon="download" onClick=${then(() => downloadSvg(name, plot))}>Picture (SVG)<//>
    <${MenuItem} icon="download" onClick=${then(() => downloadCsv(name, plot))}>What is shown (CSV)<//>
    ${rowsAddresses(name, plot).map(
      ({ id, label, href }) => html`<a class="menu-item" key=${id} href=${href} download onClick=${close}>
        <${Icon} name="download" /><span>All rows of <bdi>${label}</bdi> (CSV)</span>
      </a>`,
    )}
  <//>`;
}

