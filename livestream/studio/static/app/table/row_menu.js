// What can be done with one experiment.

import { conditionText } from "../core/query_mixed.js";
import { may } from "../data/rights.js";
import { changeView, view } from "../data/view.js";
import { html } from "../lib.js";
import { MenuItem, Panel } from "../parts/index.js";
import { addFilter } from "./filters.js";
import {
  copyLink,
  copyName,
  deleteExperiments,
  open,
  plotOnly,
  restoreExperiments,
  toggleBaseline,
  toggleSelected,
} from "./selection.js";

const SHORT = 12;

/** @param {{row: object, anchor: Element, onClose: () => void}} props `anchor`: what in the grid it was opened at. */
export function RowMenu({ row, anchor, onClose }) {
  const close = (giveBack) => {
    onClose();
    if (giveBack) anchor.closest("[role=grid]")?.focus({ preventScroll: true });
  };
  return html`<${Panel} anchor=${anchor} label=${`Menu of ${row.name}`} onClose=${close}>
    ${itemsOf(row).map((item) =>
      item === null
        ? html`<hr />`
        : html`<${MenuItem}
            icon=${item.icon}
            kind=${item.kind}
            onClick=${() => {
              close(true);
              item.act();
            }}
          >${item.words}<//>`,
    )}
  <//>`;
}

/** @returns {({icon: string, words: string, act: () => void, kind?: string}|null)[]} null: a line between. */
function itemsOf(row) {
  const { selected, baseline, scope } = view.value;
  const isSelected = selected.includes(row.id);
  const filter = conditionText("baseline", "=", row.baseline_sha);
  const items = [
    { icon: "expand", words: "Open", act: () => open(row.id) },
    { icon: "chart", words: "Plot only this", act: () => plotOnly([row.id]) },
    { icon: "check", words: isSelected ? "Deselect" : "Select", act: () => toggleSelected(row.id) },
    {
      icon: "pin",
      words: baseline === row.id ? "No baseline" : "Set as baseline",
      act: () => toggleBaseline(row.id),
    },
    null,
    { icon: "filter", words: `Only commit ${row.baseline_sha.slice(0, SHORT)}`, act: () => addFilter(filter) },
    { icon: "link", words: "Copy link", act: () => copyLink(row.id) },
    { icon: "copy", words: "Copy name", act: () => copyName(row.name) },
  ];
  if (row.repository && view.value.project === null && row.projects.length) {
    const act = () => changeView({ project: row.projects[0] }, { step: true });
    items.splice(6, 0, { icon: "branch", words: "Only this project", act });
  }
  if (!may("admin")) return items;
  const isDeleted = scope === "deleted" || row.deleted !== null;
  if (isDeleted) return [...items, null, { icon: "undo", words: "Restore", act: () => restoreExperiments([row.id]) }];
  return [...items, null, { icon: "trash", words: "Delete", act: () => deleteExperiments([row.id]), kind: "danger" }];
}
