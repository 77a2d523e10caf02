// The first page: the toolbar, the project table, and the plots of what is selected.

import { html } from "../lib.js";
import { view } from "../data/view.js";
import { Split } from "../parts/index.js";
import { hasNone } from "../table/empty.js";
import { ProjectTable } from "../table/project_table.js";
import { TableKeys } from "../table/table_keys.js";
import { Toolbar } from "../table/toolbar.js";
import { LaterPlots } from "./later.js";

/** The page at the root of the Studio. */
export function TablePage() {
  return html`<${TableKeys} /><${Areas} />`;
}

function Areas() {
  const { layout } = view.value;
  if (layout === "table" || hasNone.value) return html`<${ProjectTable} />`;
  const pane = html`<${LaterPlots} wait=${html`<div class="pane-wait"></div>`} />`;
  if (layout === "plots") return html`<div class="plots-only"><${Toolbar} />${pane}</div>`;
  return html`<${Split} name="table" top=${html`<${ProjectTable} />`} bottom=${pane} />`;
}
