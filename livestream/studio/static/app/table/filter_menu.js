// The filter menu: statuses with their counts, and a condition put together from a column, a comparison and a value.

import { partsOf } from "../core/cells.js";
import { keyFrom, TEXT_FIELDS, TIME_FIELDS } from "../core/query.js";
import { conditionText, readFilter } from "../core/query_mixed.js";
import { keys } from "../data/experiments.js";
import { view } from "../data/view.js";
import { html, signal, useRef, useState } from "../lib.js";
import { Button, Chip, Icon, Panel } from "../parts/index.js";
import { arranged, baseline, columns } from "./arranged.js";
import { addFilter, isFiltered, toggleStatus } from "./filters.js";
import { valuesOf } from "./known_values.js";

/** Whether the menu is open, and the column that it begins with. */
const opened = signal(null);

/** Open the menu with a column: what "filter" of a column's head does. */
export function filterColumn(key) {
  opened.value = { column: key };
}

/** The button and, while it is open, the menu. */
export function FilterMenu() {
  const button = useRef(null);
  const close = (giveBack) => {
    opened.value = null;
    if (giveBack) button.current?.focus();
  };
  const isOpen = opened.value !== null;
  return html`<span class="menu">
    <button
      type="button"
      ref=${button}
      class=${`button small ${isFiltered.value ? "on" : ""}`}
      aria-haspopup="true"
      aria-expanded=${String(isOpen)}
      onClick=${() => (isOpen ? close(false) : (opened.value = { column: null }))}
    >
      <${Icon} name="filter" /><span>Filter</span>
    </button>
    ${isOpen &&
    html`<${Panel}
      anchor=${button.current}
      label="Filter"
      className="filter-panel"
      focus=${opened.value.column ? ".filter-value" : undefined}
      onClose=${close}
    >
      <${Statuses} />
      <${Builder} key=${opened.value.column} column=${opened.value.column} onDone=${() => close(true)} />
    <//>`}
  </span>`;
}

function Statuses() {
  const { statuses } = view.value;
  const counts = arranged.value.statuses;
  const kinds = [...new Set([...counts.keys(), ...statuses])];
  if (kinds.length === 0) return null;
  return html`<fieldset class="statuses">
    <legend>Status</legend>
    ${kinds.map(
      (kind) => html`<label class="tick" key=${kind}>
        <input type="checkbox" checked=${statuses.includes(kind)} onChange=${() => toggleStatus(kind)} />
        <${Chip} status=${{ kind, reason: "" }} /><span class="count">${counts.get(kind) ?? 0}</span>
      </label>`,
    )}
  </fieldset>`;
}

const COMPARISONS = [
  ["=", "="],
  ["!=", "≠"],
  ["<", "<"],
  ["<=", "≤"],
  [">", ">"],
  [">=", "≥"],
  ["~", "contains"],
  ["missing", "is missing"],
  ["there", "is not missing"],
];
const UNARY = new Set(["missing", "there"]);
const ORDERED = new Set(["<", "<=", ">", ">="]);
const VALUES_ID = "filter-values";

function Builder({ column: first, onDone }) {
  const [column, setColumn] = useState(first ?? firstColumn());
  const [of, setOf] = useState("");
  const [operator, setOperator] = useState(startOperator(column));
  const [value, setValue] = useState("");
  const key = keyFrom(column);
  if (key === null) return null;
  const canDelta = baseline.value !== null && (key.kind === "leaf" || column === "step");
  const comparisons = COMPARISONS.filter(([one]) => fits(one, key, of));
  const chosen = comparisons.some(([one]) => one === operator) ? operator : comparisons[0][0];
  const text = written({ column, of, operator: chosen, value });
  const problem = value.trim() === "" && !UNARY.has(chosen) ? "" : readFilter(text).problem?.message;
  const submit = (event) => {
    event.preventDefault();
    if (problem || (value.trim() === "" && !UNARY.has(chosen))) return;
    addFilter(text);
    onDone();
  };
  return html`<form class="builder" onSubmit=${submit}>
    <label>Column<${ColumnSelect} value=${column} onChange=${setColumn} /></label>
    ${canDelta &&
    html`<label>
      Of it
      <select value=${of} onChange=${(event) => setOf(event.currentTarget.value)}>
        <option value="">the value</option>
        <option value="delta">the difference to the baseline</option>
      </select>
    </label>`}
    <div class="builder-row">
      <select aria-label="Comparison" value=${chosen} onChange=${(event) => setOperator(event.currentTarget.value)}>
        ${comparisons.map(([one, words]) => html`<option value=${one}>${words}</option>`)}
      </select>
      ${!UNARY.has(chosen) &&
      html`<input
          type="text"
          class="filter-value"
          aria-label="Value"
          placeholder=${TIME_FIELDS.has(key.field) ? "2026-11-20" : "Value"}
          list=${VALUES_ID}
          value=${value}
          autocomplete="off"
          spellcheck="false"
          onInput=${(event) => setValue(event.currentTarget.value)}
        />
        <${Values} of=${of ? null : key} />`}
      <${Button} type="submit" label="Add" kind="primary" />
    </div>
    ${problem && html`<p class="builder-problem" role="status">${problem}</p>`}
  </form>`;
}

/** What experiments hold there, to choose from. */
function Values({ of }) {
  const values = of === null ? [] : valuesOf(of);
  return html`<datalist id=${VALUES_ID}>${values.map((one) => html`<option value=${one}></option>`)}</datalist>`;
}

function firstColumn() {
  return columns.value.all.find((column) => column.kind === "metrics")?.key ?? "name";
}

function startOperator(column) {
  const key = keyFrom(column);
  return key?.kind === "leaf" && key.group === "metrics" ? ">" : TIME_FIELDS.has(key?.field) ? ">" : "=";
}

/** Whether a comparison says anything of a key. */
function fits(operator, key, of) {
  if (of === "delta") return operator !== "~" && !UNARY.has(operator);
  if (key.kind === "leaf") return true;
  if (TEXT_FIELDS.has(key.field)) return !ORDERED.has(operator);
  return operator !== "~";
}

function written({ column, of, operator, value }) {
  if (UNARY.has(operator)) return `missing.${column}=${operator === "missing"}`;
  return conditionText(of ? `${of}.${column}` : column, operator, value.trim());
}

const TITLES = new Map([
  ["metrics", "Metrics"],
  ["params", "Params"],
  ["machine", "Machine"],
  ["facts", "Experiment"],
]);
const MORE_FACTS = ["id", "repository", "baseline"];

function ColumnSelect({ value, onChange }) {
  const groups = new Map([...TITLES.keys()].map((group) => [group, []]));
  for (const { key, kind } of columns.value.all) groups.get(kind)?.push(key);
  groups.get("facts").push(...MORE_FACTS);
  const names = labelsOf(keys.value);
  return html`<select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${[...groups].map(
      ([group, some]) =>
        some.length > 0 &&
        html`<optgroup label=${TITLES.get(group)}>
          ${some.map((key) => html`<option value=${key}>${names.get(key) ?? key}</option>`)}
        </optgroup>`,
    )}
  </select>`;
}

/** Names of columns: those of two files that are called alike are told apart by the file. */
function labelsOf(all) {
  const byName = new Map();
  for (const key of all) {
    const parts = partsOf(key);
    const name = parts === null ? key : parts.names.join(".");
    const id = `${parts?.group} ${name}`;
    (byName.get(id) ?? byName.set(id, []).get(id)).push({ key, name, file: parts?.file });
  }
  const labels = new Map();
  for (const alike of byName.values()) {
    for (const { key, name, file } of alike) labels.set(key, alike.length > 1 && file ? `${name} (${file})` : name);
  }
  return labels;
}
