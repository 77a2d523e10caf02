// The lines that are drawn, with their colours: one legend for all cards.

import { html } from "../lib.js";
import { chosen, highlighted, keysOfLines, muted } from "./model.js";

/** What each line is, and a click that hides it. */
export function Legend() {
  const { isAuto, ids, left } = chosen.value;
  if (!ids.length) return null;
  const toggle = (key) => {
    const next = new Set(muted.value);
    if (!next.delete(key)) next.add(key);
    muted.value = next;
  };
  return html`<div class="plots-legend" role="group" aria-label="Lines">
    ${isAuto && html`<small title="Select experiments in the table to draw others">auto: newest ${ids.length}</small>`}
    ${keysOfLines.value.map(
      ({ key, label, name, colour }) => html`<button
        type="button"
        key=${key}
        class=${highlighted.value === key ? "near" : ""}
        title=${`${name}: click to hide or show`}
        aria-pressed=${String(!muted.value.has(key))}
        onClick=${() => toggle(key)}
        onMouseEnter=${() => (highlighted.value = key)}
        onMouseLeave=${() => (highlighted.value = null)}
        onFocus=${() => (highlighted.value = key)}
        onBlur=${() => (highlighted.value = null)}
      >
        <i style=${{ background: colour }}></i><bdi>${label}</bdi>
      </button>`,
    )}
    ${left > 0 && html`<small>${`${left} more are selected than can be drawn`}</small>`}
  </div>`;
}
