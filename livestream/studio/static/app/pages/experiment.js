// All about one experiment, on one page that follows it.

import { formatAgo } from "../core/format.js";
import { ENDED } from "../core/statuses.js";
import { address } from "../data/api.js";
import { remove, restore } from "../data/experiments.js";
import { may } from "../data/rights.js";
import { html, useEffect } from "../lib.js";
import { clock } from "../parts/clock.js";
import { DeliveryDetails, DeliveryWords } from "../parts/delivery.js";
import { Button, Chip, Empty, Icon, Menu, toast } from "../parts/index.js";
import { useExperiment } from "./experiment_data.js";
import { Facts } from "./experiment_facts.js";
import { EventLog, Files } from "./experiment_log.js";
import { PlotsOf } from "./experiment_plots.js";
import { Problems, problemWords } from "./experiment_problems.js";
import { Timeline } from "./experiment_timeline.js";
import { Machine, Metrics, Params } from "./experiment_values.js";

/** @param {{id: number}} props */
export function ExperimentPage({ id }) {
  const watched = useExperiment(id);
  const experiment = watched.experiment.value;
  const { phase, error } = watched.state.value;
  const name = experiment?.name;
  useEffect(() => {
    if (name !== undefined) document.title = `${name.slice(0, 80)} · livestream`;
  }, [name]);
  if (phase === "missing") return html`<${Missing} id=${id} />`;
  if (phase === "failed") return html`<${Failed} error=${error} onAgain=${watched.reload} />`;
  if (!experiment) return html`<${Skeleton} />`;
  return html`<article class="page experiment">
    <${Head} experiment=${experiment} onChange=${watched.reload} />
    ${experiment.deleted !== null && html`<${DeletedBanner} experiment=${experiment} onChange=${watched.reload} />`}
    <${Problems} errors=${experiment.errors} warnings=${experiment.warnings} />
    <${Life} experiment=${experiment} log=${watched.log.value} />
    <div class="experiment-columns">
      <div class="experiment-main">
        <${Metrics} experiment=${experiment} series=${watched.series.value} />
        <${Params} experiment=${experiment} />
      </div>
      <aside class="experiment-side">
        <${Facts} experiment=${experiment} />
        <section class="sheet" aria-labelledby="delivery-title">
          <header class="sheet-head">
            <h2 id="delivery-title">Delivery</h2>
            <${DeliveryWords} row=${experiment} />
          </header>
          <${DeliveryDetails} row=${experiment} />
        </section>
        <${Machine} experiment=${experiment} />
        <${Files} files=${watched.files.value} />
      </aside>
    </div>
    <${PlotsOf} ids=${[id]} />
    <${Events} log=${watched.log.value} />
  </article>`;
}

function Head({ experiment, onChange }) {
  const { status, errors } = experiment;
  const reason = errors.length ? problemWords(errors[0]) : status.reason;
  return html`<header class="page-head">
    <a class="back" href=${address("")}><${Icon} name="left" /><span>Experiments</span></a>
    <div class="page-title">
      <h1>${experiment.name}</h1>
      <${Chip} status=${status} />
      <${Actions} experiment=${experiment} onChange=${onChange} />
    </div>
    <p class="page-reason">
      <span class="reason">${reason}</span><span class="soft"><${Since} status=${status} /></span>
    </p>
    ${experiment.message && html`<p class="page-message">${experiment.message}</p>`}
  </header>`;
}

/** When it ended, or since when it runs; the reasons of other statuses tell their span themselves. */
function Since({ status }) {
  const ago = formatAgo(status.since, clock());
  if (ENDED.has(status.kind)) return `ended ${ago}`;
  if (status.kind !== "running") return null;
  return ago === "just now" ? "running since just now" : `running for ${ago.replace(" ago", "")}`;
}

function Actions({ experiment, onChange }) {
  const { id } = experiment;
  const mayDelete = may("admin");
  return html`<div class="page-actions">
    <a class="button small" href=${address("", { select: id })}><${Icon} name="table" /><span>Open in table</span></a>
    <a class="button small" href=${address("compare", { id })}>
      <${Icon} name="compare" /><span>Compare with…</span>
    </a>
    <${Menu} icon="download" label="Download" title="Download all points" align="right">
      <${Download} id=${id} format="csv" words="All points as CSV" />
      <${Download} id=${id} format="jsonl" words="All points as JSON lines" />
    </${Menu}>
    ${
      mayDelete &&
      experiment.deleted === null &&
      html`<${Button} icon="trash" title="Delete" kind="danger" onClick=${() => deleteOne(experiment, onChange)} />`
    }
  </div>`;
}

function Download({ id, format, words }) {
  const href = address(`api/experiments/${id}/export`, { format });
  return html`<a class="menu-item" href=${href} download=${`experiment-${id}.${format}`}>
    <${Icon} name="download" /><span>${words}</span>
  </a>`;
}

async function deleteOne(experiment, onChange) {
  if (await did(() => remove([experiment.id]), onChange)) {
    const onAction = () => did(() => restore([experiment.id]), onChange);
    toast(`Deleted ${experiment.name.slice(0, 60)}`, { action: "Undo", onAction });
  }
}

/** @returns {Promise<boolean>} Whether it worked; what went wrong is said. */
async function did(change, onChange) {
  try {
    await change();
    onChange();
    return true;
  } catch (error) {
    toast(error.message, { kind: "bad" });
    return false;
  }
}

function DeletedBanner({ experiment, onChange }) {
  return html`<p class="notice banner" role="status">
    <span
      >Deleted <${Ago} time=${experiment.deleted} />. It is hidden in the table, loses nothing and still takes
      data.</span
    >
    <${Button} icon="undo" label="Restore" onClick=${() => did(() => restore([experiment.id]), onChange)} />
  </p>`;
}

function Ago({ time }) {
  return formatAgo(time, clock());
}

function Life({ experiment, log }) {
  return html`<section class="sheet" aria-label="Status over time">
    <${Timeline} log=${log ?? []} experiment=${experiment} now=${clock()} />
  </section>`;
}

function Events({ log }) {
  return html`<${EventLog} log=${log} now=${clock()} />`;
}

function Missing({ id }) {
  return html`<${Empty} title=${`There is no experiment ${id}`}>
    <p>Its address may be mistyped, or it belongs to a project that you may not see.</p>
    <p><a href=${address("")}>To the experiments</a></p>
  </${Empty}>`;
}

function Failed({ error, onAgain }) {
  return html`<${Empty} title="This experiment could not be read">
    <p>${error}</p>
    <p><${Button} label="Try again" onClick=${onAgain} /></p>
  </${Empty}>`;
}

function Skeleton() {
  return html`<article class="page experiment" aria-busy="true">
    <div class="bone title"></div>
    <div class="bone line"></div>
    <div class="bone block"></div>
    <div class="bone block tall"></div>
  </article>`;
}
