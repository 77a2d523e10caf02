// What can be done with the experiments that are chosen.

import { may } from "../data/rights.js";
import { changeView, view } from "../data/view.js";
import { html } from "../lib.js";
import { Button, Menu, MenuItem } from "../parts/index.js";
import {
  clearSelection,
  compare,
  deleteExperiments,
  MOST_COMPARED,
  plotOnly,
  restoreExperiments,
  setBaseline,
  toggleScope,
} from "./selection.js";

/** Nothing while nothing is chosen. */
export function SelectionTools() {
  const { selected, scope, baseline } = view.value;
  if (selected.length === 0) return null;
  const isMany = selected.length > MOST_COMPARED;
  const few = selected.length < 2 ? "Select two or more" : "Side by side (c)";
  const title = isMany ? `At most ${MOST_COMPARED} at once` : few;
  const item = (close, act) => () => {
    close();
    act();
  };
  return html`<span class="selection-tools" role="group" aria-label="Selected experiments">
    <${Menu} label=${`${selected.length} selected`} kind="plain" title="Selected experiments">
      ${(close) => html`<${MenuItem} icon="chart" onClick=${item(close, () => plotOnly(selected))}>Plot them<//>
        <${MenuItem}
          icon="filter"
          checked=${scope === "selected"}
          onClick=${item(close, () => toggleScope("selected"))}
        >Show only these<//>
        ${selected.length === 1 &&
        baseline !== selected[0] &&
        html`<${MenuItem} icon="pin" onClick=${item(close, () => setBaseline(selected[0]))}>Set as baseline<//>`}
        ${may("admin") && html`<hr /><${DeleteItem} ids=${selected} item=${item} close=${close} />`}`}
    <//>
    <${Button}
      label="Compare"
      title=${title}
      disabled=${isMany || selected.length < 2}
      onClick=${() => compare(selected)}
    />
    <${Button} icon="close" title="Clear the selection" kind="plain" onClick=${clearSelection} />
  </span>`;
}

function DeleteItem({ ids, item, close }) {
  if (view.value.scope === "deleted") {
    const act = async () => {
      await restoreExperiments(ids);
      changeView({ selected: [] });
    };
    return html`<${MenuItem} icon="undo" onClick=${item(close, act)}>Restore<//>`;
  }
  return html`<${MenuItem} icon="trash" kind="danger" onClick=${item(close, () => deleteExperiments(ids))}>Delete<//>`;
}
