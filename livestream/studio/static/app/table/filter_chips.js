// The line of what keeps rows out at the moment: each can be taken away, and conditions can be paused.

import { partsOf } from "../core/cells.js";
import { keyFrom } from "../core/query.js";
import { readFilter } from "../core/query_mixed.js";
import { statusWords } from "../core/statuses.js";
import { changeView, view } from "../data/view.js";
import { html } from "../lib.js";
import { Button } from "../parts/index.js";
import { clearFilters, isFiltered, pauseFilter, removeFilter, toggleStatus } from "./filters.js";

const SCOPES = new Map([
  ["selected", "Only selected"],
  ["deleted", "Deleted experiments"],
  ["live", "Only live"],
]);

/** Nothing while nothing is filtered. */
export function FilterChips() {
  const { filters, paused, statuses, scope } = view.value;
  if (!filters.length && !statuses.length && scope === "all") return null;
  return html`<div class="filter-chips" role="group" aria-label="Filters">
    ${scope !== "all" &&
    html`<${Chip} words=${SCOPES.get(scope)} onRemove=${() => changeView({ scope: "all" }, { step: true })} />`}
    ${statuses.map(
      (kind) => html`<${Chip} key=${kind} words=${statusWords(kind)} onRemove=${() => toggleStatus(kind)} />`,
    )}
    ${filters.map((text) => html`<${Condition} key=${text} text=${text} isPaused=${paused.includes(text)} />`)}
    ${isFiltered.value &&
    html`<${Button} kind="plain" label="Clear all" title="Clear all filters" onClick=${clearFilters} />`}
  </div>`;
}

function Condition({ text, isPaused }) {
  const { problem } = readFilter(text);
  const title = problem?.message ?? (isPaused ? "Paused: click to apply it" : "Click to pause it");
  return html`<${Chip}
    words=${shortText(text)}
    title=${title}
    kind=${problem ? "bad" : isPaused ? "paused" : ""}
    pressed=${!isPaused}
    onPress=${() => pauseFilter(text)}
    onRemove=${() => removeFilter(text)}
  />`;
}

function Chip({ words, title, kind = "", pressed, onPress, onRemove }) {
  const name = onPress
    ? html`<button type="button" class="chip-words" title=${title} aria-pressed=${String(pressed)} onClick=${onPress}>
        ${words}
      </button>`
    : html`<span class="chip-words">${words}</span>`;
  return html`<span class=${`filter-chip ${kind}`}>
    ${name}
    <${Button} icon="close" title=${`Remove filter ${words}`} kind="plain" onClick=${onRemove} />
  </span>`;
}

const MISSING = /^missing\.(.*)=(true|false)$/s;
const MOST_CHARACTERS = 80;

/** A condition as people say it: the leaf without its file. */
function shortText(text) {
  const missing = MISSING.exec(text);
  const is = missing?.[2] === "true" ? "is" : "is not";
  const words = missing ? `${nameOf(missing[1])} ${is} missing` : shortCondition(text);
  return words.length > MOST_CHARACTERS ? `${words.slice(0, MOST_CHARACTERS)}…` : words;
}

function shortCondition(text) {
  const { condition } = readFilter(text);
  if (condition === null) return text;
  const { key, operator, wanted } = condition;
  const name = key.kind === "field" ? key.field : key.names.join(".");
  return `${key.of === "delta" ? "Δ " : ""}${name} ${operator} ${wanted.text}`;
}

function nameOf(column) {
  const key = keyFrom(column);
  return key?.kind === "leaf" ? key.names.join(".") : (partsOf(column)?.names.join(".") ?? column);
}
