// Up to seven experiments side by side: what differs, by how much, and their plots below. The address is the view:
// `compare?id=1&id=2`, with `reference` (the one that differences are told to) and `all=1` (what is the same, too).

import { formatNumber, plural } from "../core/format.js";
import { viewFromQuery } from "../core/view.js";
import { address } from "../data/api.js";
import { compared } from "../data/colours.js";
import { rows as loaded } from "../data/experiments.js";
import { go, tableQuery } from "../data/route.js";
import { changeView, view } from "../data/view.js";
import { html, useEffect, useLayoutEffect, useState } from "../lib.js";
import { Button, Chip, Empty, Icon, Menu, Search, Switch } from "../parts/index.js";
import { useRows } from "./compare_data.js";
import { CompareTable } from "./compare_table.js";
import { PlotsOf } from "./experiment_plots.js";

const MOST = 7;
const MOST_FOUND = 60;

/** @param {{query: string}} props */
export function ComparePage({ query }) {
  const asked = new URLSearchParams(query);
  const ids = idsOf(asked);
  const { rows, files, error } = useRows(ids);
  useEffect(() => {
    document.title = "Compare · livestream";
    const goals = viewFromQuery(tableQuery.value).goals;
    if (!Object.keys(view.peek().goals).length) changeView({ goals });
  }, []);
  useLayoutEffect(() => {
    compared.value = ids;
  }, [ids.join()]);
  useEffect(() => () => (compared.value = null), []);
  const there = rows.value;
  if (!ids.length) return html`<${Nothing} />`;
  if (there === null) return html`<div class="page"><div class="bone block tall"></div></div>`;
  if (!there.length) return html`<${NotThere} ids=${ids} error=${error.value} />`;
  const reference = there.find((row) => row.id === Number(asked.get("reference"))) ?? there[0];
  const onlyDiffering = asked.get("all") !== "1" && there.length > 1;
  return html`<div class="page compare">
    <${Head} ids=${ids} there=${there} onlyDiffering=${onlyDiffering} asked=${asked} />
    <${CompareTable}
      rows=${there}
      files=${files.value}
      reference=${reference}
      onlyDiffering=${onlyDiffering}
      goals=${view.value.goals}
      onGoals=${(goals) => changeView({ goals }, { step: true })}
      onReference=${(id) => change({ reference: id === ids[0] ? null : id })}
      onRemove=${(id) => takeOut(ids, id, reference.id)}
    />
    <${PlotsOf} ids=${there.map((row) => row.id)} />
  </div>`;
}

/** @param {URLSearchParams} asked @returns {number[]} Without doubles, at most MOST. */
function idsOf(asked) {
  const ids = asked
    .getAll("id")
    .flatMap((word) => word.split(","))
    .filter((word) => /^\d{1,15}$/.test(word))
    .map(Number);
  return [...new Set(ids)].slice(0, MOST);
}

/** Go to this comparison with other parameters; null takes one away, undefined leaves it. */
function change(fields) {
  const query = new URLSearchParams(location.search);
  query.delete("select");
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    query.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null) query.append(name, String(one));
    }
  }
  go(`compare?${query}`);
}

function takeOut(ids, id, reference) {
  change({ id: ids.filter((one) => one !== id), reference: id === reference ? null : undefined });
}

function Head({ ids, there, onlyDiffering, asked }) {
  const missing = ids.length - there.length;
  const asks = new Set(asked.getAll("id")).size;
  return html`<header class="page-head">
    <a class="back" href=${address("")}><${Icon} name="left" /><span>Experiments</span></a>
    <div class="page-title">
      <h1>Compare ${plural(there.length, "experiment")}</h1>
      <div class="page-actions">
        <${Switch}
          checked=${onlyDiffering}
          label="Only what differs"
          onChange=${(only) => change({ all: only ? null : 1 })}
        />
        <${Adder} ids=${ids} />
      </div>
    </div>
    ${
      missing > 0 &&
      html`<p class="soft">${plural(missing, "experiment")} of the address cannot be seen here, or is no more.</p>`
    }
    ${asks > MOST && html`<p class="soft">The first ${MOST} of ${formatNumber(asks)} are shown.</p>`}
    ${there.length === 1 && html`<p class="soft">Add another one to see what differs.</p>`}
  </header>`;
}

/** Finds experiments by name among those that the table knows. */
function Adder({ ids }) {
  if (ids.length >= MOST)
    return html`<${Button} icon="plus" label="Add" title=${`${MOST} at most`} disabled=${true} />`;
  return html`<${Menu} icon="plus" label="Add" title="Add an experiment" align="right" className="adder">
    ${(close) => html`<${Candidates} ids=${ids} onChoose=${(id) => (close(), change({ id: [...ids, id] }))} />`}
  <//>`;
}

function Candidates({ ids, onChoose }) {
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const taken = new Set(ids);
  const found = loaded.value.filter((row) => !taken.has(row.id) && textOf(row).includes(wanted));
  return html`<div class="candidates">
    <${Search}
      value=${search}
      onInput=${setSearch}
      label="Search by name, message or commit"
      placeholder="Name, message, commit"
    />
    <div class="candidate-list">
      ${found
        .slice(0, MOST_FOUND)
        .map(
          (row) =>
            html`<button type="button" class="menu-item" key=${row.id} onClick=${() => onChoose(row.id)}>
              <span class="candidate">${row.name}</span><${Chip} status=${row.status} />
            </button>`,
        )}
      ${found.length === 0 && html`<p class="hint">No experiment matches.</p>`}
      ${
        found.length > MOST_FOUND &&
        html`<p class="hint">${formatNumber(found.length - MOST_FOUND)} more: search to see them</p>`
      }
    </div>
  </div>`;
}

function textOf(row) {
  return `${row.name} ${row.message ?? ""} ${row.baseline_sha}`.toLowerCase();
}

function Nothing() {
  return html`<${Empty} title="Nothing to compare yet">
    <p>Select experiments in the table and press <kbd>c</kbd>, or choose the first one here.</p>
    <p class="start-adder"><${Adder} ids=${[]} /></p>
  </${Empty}>`;
}

function NotThere({ ids, error }) {
  return html`<${Empty} title=${error ? "These experiments could not be read" : "None of these experiments is there"}>
    <p>${error || `The address asks for ${ids.join(", ")}. They may belong to a project that you may not see.`}</p>
    <p><a href=${address("")}>To the experiments</a></p>
  </${Empty}>`;
}
