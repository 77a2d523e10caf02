// The toolbar and the grid together: what the grid shows, and what becomes of what a person does in it.

import { rowsById } from "../data/experiments.js";
import { changeView, view } from "../data/view.js";
import { html, useSignal } from "../lib.js";
import { baseline, best, columns, cursor, lines } from "./arranged.js";
import { TableEmpty, hasNone } from "./empty.js";
import { filterColumn } from "./filter_menu.js";
import { Grid } from "./grid.js";
import { RowMenu } from "./row_menu.js";
import { open, selectTo, toggleGroup, toggleSelected } from "./selection.js";
import { Toolbar } from "./toolbar.js";

/** All of the table. */
export function ProjectTable() {
  return html`<section class="project-table" aria-label="Experiments">
    <${Toolbar} />${hasNone.value ? html`<${TableEmpty} />` : html`<${Body} />`}
  </section>`;
}

function Body() {
  const menu = useSignal(null);
  const openMenu = menu.value;
  const row = openMenu && rowsById.value.get(openMenu.id);
  const close = () => {
    menu.value = null;
  };
  return html`<${Grid}
      lines=${lines.value}
      columns=${columns.value}
      view=${view.value}
      baseline=${baseline.value}
      best=${best.value}
      cursor=${cursor}
      onChange=${changeView}
      onSelect=${onSelect}
      onToggle=${onToggle}
      onOpen=${onOpen}
      onRowMenu=${(line, anchor) => {
        menu.value = { id: line.row.id, anchor };
      }}
      onFilter=${filterColumn}
    >
      <${TableEmpty} />
    <//>
    ${row && html`<${RowMenu} key=${row.id} row=${row} anchor=${openMenu.anchor} onClose=${close} />`}`;
}

// One function each for the life of the page: the grid draws again when it is given another one.

function onSelect(line, { range }) {
  if (range) selectTo(line.row.id);
  else toggleSelected(line.row.id);
}

function onToggle(line) {
  toggleGroup(line.key);
}

function onOpen(line) {
  open(line.row.id);
}
