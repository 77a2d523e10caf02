// What stands in the table's place while it has no line: why, and the one thing to do next.

import { rows, state } from "../data/experiments.js";
import { projects } from "../data/projects.js";
import { changeView, view } from "../data/view.js";
import { computed, html } from "../lib.js";
import { Button, Code, Empty } from "../parts/index.js";
import { arranged } from "./arranged.js";
import { clearFilters } from "./filters.js";

/** Whether there is no experiment at all, so that a table of them would have neither rows nor columns. */
export const hasNone = computed(() => rows.value.length === 0 && state.value.phase !== "loading");

/** Why there is no line. */
export function TableEmpty() {
  const { phase, error } = state.value;
  // Rows that are all out of the scope are those of the scope before: the next ones are on their way.
  const isChanging = arranged.value.total === 0 && rows.value.length > 0;
  if (phase === "loading" || isChanging) return html`<${Skeleton} />`;
  if (phase === "failed") return html`<${Empty} title="The experiments could not be read"><p>${error}</p><//>`;
  const { scope } = view.value;
  if (scope === "deleted" && rows.value.length === 0) return html`<${NoneDeleted} />`;
  if (arranged.value.total > 0) return html`<${NoneMatches} total=${arranged.value.total} />`;
  return html`<${NoneYet} />`;
}

const SKELETON_LINES = 8;

/** The shape of what comes, so that nothing jumps when it is there. */
function Skeleton() {
  const line = html`<div class="bone-line"><i></i><i></i><i></i><i></i></div>`;
  return html`<div class="table-skeleton" role="status" aria-label="Loading experiments">
    ${Array.from({ length: SKELETON_LINES }, () => line)}
  </div>`;
}

function NoneDeleted() {
  return html`<${Empty} title="No deleted experiments">
    <p>Deleting hides an experiment; it loses nothing and can be restored from here.</p>
    <${Button} label="Back to all experiments" onClick=${() => changeView({ scope: "all" }, { step: true })} />
  <//>`;
}

function NoneMatches({ total }) {
  const { scope } = view.value;
  const count = total.toLocaleString("en-US");
  const words = scope === "live" ? "None is live now, or none that matches." : "None of them matches the filters.";
  return html`<${Empty} title=${scope === "live" ? "No live experiment" : "Nothing matches"}>
    <p>${total === 1 ? "There is 1 experiment here." : `There are ${count} experiments here.`} ${words}</p>
    <${Button} label="Clear filters" kind="primary" onClick=${clearFilters} />
  <//>`;
}

function NoneYet() {
  const { project } = view.value;
  const known = projects.value ?? [];
  if (project !== null && known.length && !known.some((one) => one.id === project)) return html`<${NoProject} />`;
  const url = document.body.dataset.url ?? "";
  return html`<${Empty} title=${project === null ? "No experiment yet" : "No experiment in this project yet"}>
    <p class="waiting">
      <span class="pulse" aria-hidden="true"></span>This page is waiting: the first experiment shows up by itself.
    </p>
    <p>On this machine a training finds the Studio without any setting:</p>
    <${Code} text="python train.py" />
    <p>On another machine, or with DVCLive alone, say where it is:</p>
    <${Code} text=${`export DVC_STUDIO_URL=${url}\nexport DVC_STUDIO_TOKEN=<token with the scope ingest>`} />
    <p>To see it at work first:</p>
    <${Code} text="livestream demo" />
  <//>`;
}

function NoProject() {
  return html`<${Empty} title="No such project">
    <p>It was deleted, or your token is for another one. Experiments are never deleted with a project.</p>
    <${Button} label="All experiments" kind="primary" onClick=${() => changeView({ project: null }, { step: true })} />
  <//>`;
}
