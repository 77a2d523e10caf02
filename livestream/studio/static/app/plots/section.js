// Metrics with the same prefix, under a head that folds them. Small sections stand side by side: all cards of a pane
// have one width, and a section takes as many columns as it has cards.

import { html, signal, useEffect, useRef } from "../lib.js";
import { changeView, view } from "../data/view.js";
import { Icon } from "../parts/index.js";
import { PlotCard } from "./card.js";
import { columns } from "./remembered.js";

const LEAST_CARD_PX = 288;
const GAP_PX = 12;
const MOST_COLUMNS = 4;
const BESIDE_PX = 230;
const NARROW_BELOW_PX = 900;

/** How wide sections are: of the window until one is measured, so that nothing jumps when it is. */
const width = signal(innerWidth - (innerWidth > NARROW_BELOW_PX ? BESIDE_PX : 2 * GAP_PX));

/** @param {{sections: {key: string, title: string, names: string[]}[]}} props */
export function Sections({ sections }) {
  const element = useRef(null);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => (width.value = entry.contentRect.width));
    watcher.observe(element.current);
    return () => watcher.disconnect();
  }, []);
  const fitting = Math.floor((width.value + GAP_PX) / (LEAST_CARD_PX + GAP_PX));
  const count = columns.value || Math.min(MOST_COLUMNS, Math.max(1, fitting));
  const style = { "--columns": count };
  return html`<div class="plots-sections" ref=${element} data-columns=${columns.value || undefined} style=${style}>
    ${sections.map((section) => html`<${Section} key=${section.key} section=${section} count=${count} />`)}
  </div>`;
}

function Section({ section, count }) {
  const { key, title, names } = section;
  const isFolded = view.value.folded.includes(key);
  const span = isFolded ? count : Math.min(count, names.length);
  return html`<section class="plots-section" id=${sectionId(key)} aria-label=${title} style=${{ "--span": span }}>
    <${SectionHead} sectionKey=${key} title=${title} count=${names.length} />
    ${!isFolded &&
    html`<div class="plots-grid">
      ${names.map((name) => html`<${PlotCard} key=${name} name=${name} section=${title} />`)}
    </div>`}
  </section>`;
}

/** The head of a section of plots: its name, how many are in it, and the fold. */
export function SectionHead({ sectionKey, title, count, children }) {
  const isFolded = view.value.folded.includes(sectionKey);
  const toggle = () => {
    const { folded } = view.value;
    changeView({ folded: isFolded ? folded.filter((one) => one !== sectionKey) : [...folded, sectionKey] });
  };
  return html`<header class="plots-head">
    <button type="button" aria-expanded=${String(!isFolded)} onClick=${toggle}>
      <${Icon} name=${isFolded ? "right" : "down"} size=${14} />
      <h3>${title}</h3>
      <small>${count}</small>
    </button>
    ${children}
  </header>`;
}

/** Sections of other things than metrics that are there now: images, custom plots. */
export const others = signal([]);

/** Tell the sidebar of such a section, for as long as there is something in it. */
export function useListed(key, title, count) {
  useEffect(() => {
    const rest = () => others.peek().filter((one) => one.key !== key);
    if (count > 0) {
      others.value = [...rest(), { key, title, count }].sort((one, other) => (one.key < other.key ? 1 : -1));
    }
    return () => (others.value = rest());
  }, [count]);
}

/** @returns {string} The id of a section's element: names of metrics may hold anything. */
export function sectionId(key) {
  return `plots-${[...key].map((letter) => letter.codePointAt(0).toString(36)).slice(0, 60).join("-")}`;
}
