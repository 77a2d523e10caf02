// What a run measured and was given: tables of its metrics, its params and its machine, each with a search.

import { cellsOf, partsOf } from "../core/cells.js";
import { formatNumber, formatValue, MISSING } from "../core/format.js";
import { html, useMemo, useState } from "../lib.js";
import { Search } from "../parts/index.js";
import { Live } from "./live.js";

const SEARCH_FROM = 8;
const LONG_CHARACTERS = 400;
const MOST_IN_SIGHT = 15;
const SYSTEM = /^system(\/|$)/;

/**
 * @typedef {object} MetricRow
 * @property {string} key
 * @property {string} name Joined by "/".
 * @property {*} last
 * @property {number|null} minimum
 * @property {number|null} maximum
 * @property {number|null} step
 * @property {number} count 0 where no series draws it.
 */

/**
 * The metrics of an experiment: its series, and the leaves of its metrics files that none of them draws.
 *
 * @param {object[]} series As the API lists them.
 * @param {Map<string, *>} cells
 * @returns {MetricRow[]} By name, the system's last.
 */
function metricRows(series, cells) {
  const rows = series.map((one) => ({
    key: `series ${one.id}`,
    name: one.name,
    last: one.last,
    minimum: one.minimum,
    maximum: one.maximum,
    step: one.last_step,
    count: one.count,
  }));
  const drawn = new Set(rows.map((row) => row.name));
  for (const [key, last] of cells) {
    const parts = partsOf(key);
    const name = parts?.names.join("/");
    if (parts?.group !== "metrics" || drawn.has(name) || name === "step") continue;
    rows.push({ key, name, last, minimum: null, maximum: null, step: null, count: 0 });
  }
  const rank = (row) => (SYSTEM.test(row.name) ? 1 : 0);
  return rows.sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name, "en"));
}

/** @param {{experiment: object, series: object[]|null}} props */
export function Metrics({ experiment, series }) {
  const [search, setSearch] = useState("");
  const rows = useMemo(() => metricRows(series ?? [], cellsOf({ metrics: experiment.metrics })), [experiment, series]);
  const shown = rows.filter((row) => holds(row.name, search));
  return html`<section class="sheet" aria-labelledby="metrics-title">
    <${Head} id="metrics-title" title="Metrics" count=${rows.length} search=${search} onSearch=${setSearch} />
    ${
      rows.length === 0
        ? html`<p class="hint">${series === null ? "Reading" : "No metric has come yet."}</p>`
        : html`<div class="sheet-scroll" tabindex=${scrolls(shown)}>
            <table class="values">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col" class="number">Last</th>
                  <th scope="col" class="number">Lowest</th>
                  <th scope="col" class="number">Highest</th>
                  <th scope="col" class="number">At step</th>
                  <th scope="col" class="number">Points</th>
                </tr>
              </thead>
              <tbody>
                ${shown.map((row) => html`<${MetricLine} key=${row.key} row=${row} />`)}
              </tbody>
            </table>
            ${shown.length === 0 && html`<p class="hint">No name holds “${search}”.</p>`}
          </div>`
    }
  </section>`;
}

function MetricLine({ row }) {
  return html`<tr class=${SYSTEM.test(row.name) ? "system" : ""}>
    <th scope="row"><${Path} names=${row.name.split("/")} by="/" /></th>
    <td class="number"><${Live} value=${row.last}><b>${formatValue(row.last)}</b></${Live}></td>
    <td class="number"><${Live} value=${row.minimum}>${formatValue(row.minimum)}</${Live}></td>
    <td class="number"><${Live} value=${row.maximum}>${formatValue(row.maximum)}</${Live}></td>
    <td class="number soft">${formatValue(row.step)}</td>
    <td class="number soft">${row.count ? formatNumber(row.count) : MISSING}</td>
  </tr>`;
}

/** @param {{experiment: object}} props */
export function Params({ experiment }) {
  const cells = useMemo(() => cellsOf({ params: experiment.params }), [experiment]);
  return html`<${Tree} id="params-title" title="Params" cells=${cells} empty="No params have come." />`;
}

/** @param {{experiment: object}} props */
export function Machine({ experiment }) {
  const cells = useMemo(
    () => new Map([...cellsOf({ machine: experiment.machine }), ...envCells(experiment.env)]),
    [experiment],
  );
  if (!cells.size) return null;
  return html`<${Tree} id="machine-title" title="Machine" cells=${cells} empty="" />`;
}

function envCells(env) {
  return [...cellsOf({ machine: env })].map(([key, value]) => [key.replace(/^machine/, "machine.env"), value]);
}

/** Leaves by file; the path of each with its folders dimmed. */
function Tree({ id, title, cells, empty }) {
  const [search, setSearch] = useState("");
  const files = new Map();
  for (const [key, value] of cells) {
    const { file, names } = partsOf(key) ?? { file: null, names: [key] };
    if (!holds(names.join("."), search) && !holds(String(value), search)) continue;
    if (!files.has(file)) files.set(file, []);
    files.get(file).push({ key, names, value });
  }
  return html`<section class="sheet" aria-labelledby=${id}>
    <${Head} id=${id} title=${title} count=${cells.size} search=${search} onSearch=${setSearch} />
    ${cells.size === 0 && html`<p class="hint">${empty}</p>`}
    ${cells.size > 0 && files.size === 0 && html`<p class="hint">Nothing holds “${search}”.</p>`}
    ${[...files].map(
      ([file, leaves]) =>
        html`<div class="sheet-scroll" key=${file} tabindex=${scrolls(leaves)}>
          ${file !== null && html`<h3 class="file-name">${file}</h3>`}
          <table class="values tree">
            <tbody>
              ${leaves.map(
                ({ key, names, value }) => html`<tr key=${key}>
                <th scope="row"><${Path} names=${names} by="." /></th>
                <td>
                  <${Live} value=${value} ...${isLong(value) ? { class: "long", tabindex: 0 } : {}}>
                    ${formatValue(value)}
                  </${Live}>
                </td>
              </tr>`,
              )}
            </tbody>
          </table>
        </div>`,
    )}
  </section>`;
}

function Head({ id, title, count, search, onSearch }) {
  return html`<header class="sheet-head">
    <h2 id=${id}>${title} ${count > 0 && html`<small>${count.toLocaleString("en-US")}</small>`}</h2>
    ${
      count >= SEARCH_FROM &&
      html`<${Search} value=${search} onInput=${onSearch} label=${`Search in ${title.toLowerCase()}`} />`
    }
  </header>`;
}

function Path({ names, by }) {
  const folders = names.slice(0, -1);
  return html`<span class="path">
    ${folders.length > 0 && html`<span class="soft">${folders.join(by) + by}</span>`}${names.at(-1)}
  </span>`;
}

/** What is long scrolls by itself, by keys too. */
function scrolls(lines) {
  return lines.length > MOST_IN_SIGHT ? 0 : undefined;
}

function isLong(value) {
  return typeof value === "string" && value.length > LONG_CHARACTERS;
}

function holds(text, search) {
  return text.toLowerCase().includes(search.trim().toLowerCase());
}
