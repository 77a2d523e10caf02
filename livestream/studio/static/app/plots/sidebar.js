// Finding a plot: by name, by section.

import { html } from "../lib.js";
import { changeView, view } from "../data/view.js";
import { Search } from "../parts/index.js";
import { SYSTEM } from "./model.js";
import { others, sectionId } from "./section.js";

const isNoMachine = ({ key }) => key !== SYSTEM;

/**
 * @param {{sections: {key: string, title: string, names: string[]}[], body: {current: Element}, total: number}} props
 *   `body` holds the sections, `total` is how many metrics there are without the search.
 */
export function Sidebar({ sections, body, total }) {
  const shown = new Set(sections.flatMap((section) => section.names)).size;
  const own = sections.map(({ key, title, names }) => ({ key, title, count: names.length }));
  const entries = [...own.filter(isNoMachine), ...others.value, ...own.filter((one) => !isNoMachine(one))];
  const open = (key) => {
    const { folded } = view.value;
    if (folded.includes(key)) changeView({ folded: folded.filter((one) => one !== key) });
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const section = body.current.querySelector(`#${sectionId(key)}`);
    section?.scrollIntoView({ behavior: isStill ? "auto" : "smooth", block: "start" });
  };
  return html`<nav class="plots-side" aria-label="Sections of plots">
    <${Search}
      value=${view.value.search}
      label="Search plots by name, also by a regular expression"
      placeholder="Search plots"
      onInput=${(search) => changeView({ search })}
    />
    <ul>
      ${entries.map(
        ({ key, title, count }) => html`<li key=${key}>
          <button type="button" onClick=${() => open(key)}><bdi>${title}</bdi><small>${count}</small></button>
        </li>`,
      )}
    </ul>
    ${shown < total && html`<p><small>${shown} of ${total} metrics</small></p>`}
  </nav>`;
}
