// Above the table: which experiments are shown (left), and how, and what to do with those that are chosen (right).

import { tableCsv } from "../core/table_csv.js";
import { rows } from "../data/experiments.js";
import { projects } from "../data/projects.js";
import { changeView, view } from "../data/view.js";
import { html } from "../lib.js";
import { Button, Icon, Menu, MenuItem } from "../parts/index.js";
import { saveCsv } from "../parts/save.js";
import { arranged, baseline, columns } from "./arranged.js";
import { ColumnsMenu } from "./columns_menu.js";
import { FilterChips } from "./filter_chips.js";
import { FilterMenu } from "./filter_menu.js";
import { QueryBox } from "./query_box.js";
import { SelectionTools } from "./selection_tools.js";
import { setBaseline, toggleDelta, toggleScope } from "./selection.js";
import { ViewsMenu } from "./views_menu.js";

/** All that stands above the table. */
export function Toolbar() {
  return html`<div class="toolbar" role="toolbar" aria-label="Experiments">
      <div class="tools which"><${ProjectSwitch} /><${QueryBox} /><${FilterMenu} /><${LiveButton} /></div>
      <div class="tools how">
        <${SelectionTools} /><${Baseline} /><${Grouping} />
        <${ColumnsMenu} columns=${columns.value} view=${view.value} onChange=${changeView} />
        <${ViewsMenu} /><${MoreMenu} /><${Layout} />
      </div>
    </div>
    <${FilterChips} />`;
}

function ProjectSwitch() {
  const known = projects.value;
  if (known === null) return html`<span class="project-wait"></span>`;
  const { project } = view.value;
  const name = known.find((one) => one.id === project)?.name ?? "All projects";
  const counts = project === null ? countsOf(rows.value) : null;
  const choose = (id, close) => {
    changeView({ project: id, closed: [] }, { step: true });
    close();
  };
  return html`<${Menu} label=${name} title=${`Project: ${name}`} className="project-switch">
    ${(close) => html`<${MenuItem} checked=${project === null} onClick=${() => choose(null, close)}>
        All projects${counts && html`<span class="count">${rows.value.length}</span>`}
      <//>
      ${known.map(
        (one) => html`<${MenuItem} key=${one.id} checked=${project === one.id} onClick=${() => choose(one.id, close)}>
          ${one.name}${counts && html`<span class="count">${counts.get(one.id) ?? 0}</span>`}
          ${one.subdir && html`<small>${one.subdir}</small>`}
        <//>`,
      )}
      ${known.length === 0 && html`<p class="note">A project comes with its first experiment.</p>`}`}
  <//>`;
}

/** Experiments by project, while all are loaded. */
function countsOf(all) {
  const counts = new Map();
  for (const row of all) for (const id of row.projects) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

function LiveButton() {
  const { live } = arranged.value;
  const isOn = view.value.scope === "live";
  return html`<button
    type="button"
    class=${`button small live-button ${live ? "some" : ""}`}
    aria-pressed=${String(isOn)}
    title=${isOn ? "Show all experiments" : "Show only live experiments"}
    onClick=${() => toggleScope("live")}
  >
    <span class="pulse" aria-hidden="true"></span><span>${live.toLocaleString("en-US")} live</span>
  </button>`;
}

function Baseline() {
  const { delta } = view.value;
  const row = baseline.value;
  if (row === null) return null;
  return html`<span class="baseline-chip">
    <button
      type="button"
      class="chip-words"
      aria-pressed=${String(delta)}
      title="Differences to the baseline (d)"
      onClick=${toggleDelta}
    >
      <b>Δ</b><span>${row.name}</span>
    </button>
    <${Button} icon="close" title="No baseline" kind="plain" onClick=${() => setBaseline(null)} />
  </span>`;
}

function Grouping() {
  const { grouping } = view.value;
  const choice = (name, label, title) => html`<button
    type="button"
    aria-pressed=${String(grouping === name)}
    title=${title}
    onClick=${() => changeView({ grouping: name }, { step: true })}
  >
    ${label}
  </button>`;
  return html`<span class="segments" role="group" aria-label="Rows">
    ${choice("git", "Git", "Branches, commits, and their experiments")}${choice("flat", "Flat", "Experiments alone")}
  </span>`;
}

const LAYOUTS = [
  ["table", "table", "Table alone (p)"],
  ["both", "both", "Table and plots (p)"],
  ["plots", "chart", "Plots alone (p)"],
];

function Layout() {
  const { layout } = view.value;
  return html`<span class="segments icons" role="group" aria-label="Layout">
    ${LAYOUTS.map(
      ([name, icon, title]) => html`<button
        type="button"
        key=${name}
        title=${title}
        aria-label=${title}
        aria-pressed=${String(layout === name)}
        onClick=${() => changeView({ layout: name }, { step: true })}
      >
        <${Icon} name=${icon} size=${14} />
      </button>`,
    )}
  </span>`;
}

function MoreMenu() {
  const { scope, commits, delta } = view.value;
  const { idle } = arranged.value;
  const item = (close, act) => () => {
    close();
    act();
  };
  return html`<${Menu} icon="more" title="More actions" align="right">
    ${(close) => html`<${MenuItem} icon="download" onClick=${item(close, download)}>
        Download as CSV${delta && baseline.value ? " (differences)" : ""}
      <//>
      ${(idle > 0 || commits) &&
      html`<${MenuItem}
        icon="branch"
        checked=${commits}
        onClick=${item(close, () => changeView({ commits: !commits }, { step: true }))}
      >Commits without experiments${idle > 0 && html`<span class="count">${idle}</span>`}<//>`}
      <${MenuItem}
        icon="trash"
        checked=${scope === "deleted"}
        onClick=${item(close, () => toggleScope("deleted"))}
      >Deleted experiments<//>`}
  <//>`;
}

/** Save what is shown: these rows, these columns, in this order. */
function download() {
  const { pinned, free } = columns.value;
  const text = tableCsv(
    arranged.value.shown,
    [...pinned, ...free].map((column) => column.key),
    { baseline: view.value.delta ? baseline.value : null },
  );
  saveCsv(text, "experiments.csv");
}
