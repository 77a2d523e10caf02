// The plots pane: settings on top, the runs and their colours, sections of cards; each card draws when it is seen.

import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../lib.js";
import { state } from "../data/experiments.js";
import { listSeriesOf, seriesList } from "../data/series_list.js";
import { view } from "../data/view.js";
import { Empty } from "../parts/index.js";
import { FullPlot } from "./full.js";
import { ImagesSection } from "./images.js";
import { Legend } from "./legend.js";
import { SYSTEM, chosen, give, muted, openNewest, runs, sectionsOf } from "./model.js";
import { Sections } from "./section.js";
import { Settings } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { TemplatesSection } from "./templates_section.js";

/**
 * The plots of the selected experiments, or of the newest where none is selected.
 * @param {{experiments?: object[]}} props Those of a page that shows some by itself, as the API tells them.
 */
export function PlotsPane({ experiments = null }) {
  if (!experiments) openNewest();
  const wanted = experiments?.map((one) => `${one.id} ${one.name}`).join();
  useLayoutEffect(() => give(experiments), [wanted]);
  useEffect(() => () => give(null), []);
  const { ids } = chosen.value;
  const { list, phase, error } = seriesList.value;
  const { search, favourites, full } = view.value;
  const body = useRef(null);
  useEffect(() => listSeriesOf(ids), [ids]);
  useEffect(() => () => (muted.value = new Set()), []);
  const sections = useMemo(() => sectionsOf(list, search, favourites), [list, search, favourites]);
  return html`<section class="plots" aria-label="Plots">
    <${Settings} names=${list} />
    <div class="plots-body" ref=${body}>
      <${Sidebar} sections=${sections} body=${body} total=${list.length} />
      <div class="plots-main">
        <${Legend} />
        ${explained(ids, phase, error, list, sections)}
        <${Sections} key="own" sections=${sections.filter((one) => one.key !== SYSTEM)} />
        ${ids.length > 0 && html`<${ImagesSection} experiments=${runs.value} />`}
        ${ids.length > 0 && html`<${TemplatesSection} experiments=${runs.value} />`}
        <${Sections} key="system" sections=${sections.filter((one) => one.key === SYSTEM)} />
      </div>
    </div>
    ${list.some((series) => series.name === full) && html`<${FullPlot} name=${full} key=${full} />`}
  </section>`;
}

/** What stands in place of cards where there are none. */
function explained(ids, phase, error, list, sections) {
  const bones = html`<div class="plots-grid skeleton"><i></i><i></i><i></i></div>`;
  if (!ids.length && state.value.phase === "loading") return bones;
  if (!ids.length) {
    return html`<${Empty} title="No experiments to draw"><p>Plots of the newest experiments appear here.</p><//>`;
  }
  if (phase === "failed") return html`<${Empty} title="The metrics could not be read"><p>${error}</p><//>`;
  if (phase === "loading") return bones;
  if (!list.length) {
    return html`<${Empty} title="No metrics yet">
      <p>A line is drawn for each <code>live.log_metric("train/loss", loss)</code>.</p>
    <//>`;
  }
  if (!sections.length) return html`<${Empty} title="No metric has such a name"><p>${view.value.search}</p><//>`;
  return null;
}
