// One plot on the whole screen, with a table of its values.

import { html, useState } from "../lib.js";
import { valueLabel } from "../core/series_scale.js";
import { changeView } from "../data/view.js";
import { Dialog } from "../parts/index.js";
import { CardTools, PlotArea } from "./card.js";
import { highlighted } from "./model.js";

/** @param {{name: string}} props */
export function FullPlot({ name }) {
  const [plot, setPlot] = useState(null);
  const close = () => changeView({ full: "" }, { step: true });
  return html`<${Dialog} title=${name} wide className="plot-full" onClose=${close}>
    <div class="plot-full-tools"><${CardTools} name=${name} plot=${plot} isFull /></div>
    <${PlotArea} name=${name} onPlot=${setPlot} />
    ${plot && html`<${Values} plot=${plot} />`}
  <//>`;
}

function Values({ plot }) {
  const rows = plot.summaries.value;
  return html`<div class="plot-values" tabindex="0" role="region" aria-label="Values">
    <table>
      <thead>
        <tr>
          <th>Run</th>
          ${["Last", "Min", "Max", "Step"].map((text) => html`<th class="number" key=${text}>${text}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr
            key=${row.key}
            class=${highlighted.value === row.key ? "near" : ""}
            onMouseEnter=${() => (highlighted.value = row.key)}
            onMouseLeave=${() => (highlighted.value = null)}
          >
            <td title=${row.name}><i style=${{ background: row.colour }}></i><bdi>${row.label}</bdi></td>
            <td class="number">${valueLabel(row.last)}</td>
            <td class="number">${valueLabel(row.low)}</td>
            <td class="number">${valueLabel(row.high)}</td>
            <td class="number">${row.step === null ? "–" : row.step.toLocaleString("en-US")}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
