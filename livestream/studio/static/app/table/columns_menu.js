// Which columns are shown: all there are, in their groups, with a search. What comes live is here at once.

import { shownOf, withHidden, withShown } from "../core/column_wishes.js";
import { NAME } from "../core/columns.js";
import { html, useMemo, useRef, useLayoutEffect, useState } from "../lib.js";
import { Button, Menu, Search } from "../parts/index.js";

const INDENT_PX = 18;

/**
 * A button that opens the menu.
 *
 * @param {object} props
 * @param {import("../core/columns.js").Columns} props.columns
 * @param {{hidden: string[]}} props.view
 * @param {(fields: object, options: {step: boolean}) => void} props.onChange As `changeView`.
 */
export function ColumnsMenu({ columns, view, onChange }) {
  const count = columns.hidden.size;
  const title = count ? `Columns, ${count.toLocaleString("en-US")} hidden` : "Columns";
  const words = count ? `Columns −${count}` : "Columns";
  return html`<${Menu} icon="columns" title=${title} label=${words} align="right" className="columns-menu">
    <${ColumnList} columns=${columns} view=${view} onChange=${onChange} />
  <//>`;
}

function ColumnList({ columns, view, onChange }) {
  const [search, setSearch] = useState("");
  const items = useMemo(() => itemsOf(columns, search), [columns, search]);
  const change = (fields) => onChange(fields, { step: true });
  return html`<div class="columns-list">
    <div class="columns-head">
      <${Search} value=${search} onInput=${setSearch} label="Search columns" placeholder="Search columns" />
      <${Button} label="Show all" disabled=${!view.hidden.length} onClick=${() => change({ hidden: [] })} />
    </div>
    <div class="columns-items">
      ${items.map(
        (item) => html`<${Item}
          key=${item.key + item.depth}
          item=${item}
          shown=${shownOf(columns, item.key)}
          onChange=${(isShown) => change(isShown ? withShown(columns, view, item.key) : withHidden(view, item.key))}
        />`,
      )}
      ${!items.length && html`<p class="hint">No column has “${search}” in its name.</p>`}
    </div>
  </div>`;
}

function Item({ item, shown, onChange }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    box.current.indeterminate = shown === "some";
  }, [shown]);
  const { key, label, hint, kind, depth, isGroup } = item;
  const style = { paddingLeft: `${8 + depth * INDENT_PX}px` };
  const tick = (event) => onChange(event.currentTarget.checked);
  return html`<label class=${`columns-item kind-${kind} ${isGroup ? "group" : ""}`} style=${style} title=${key}>
    <input type="checkbox" ref=${box} checked=${shown === "all"} onChange=${tick} />
    <span class="text">${label}</span>${hint && html`<span class="hint text">${hint}</span>`}
  </label>`;
}

/** Headers and columns as lines; a header is there where any of its columns has the search in its key. */
function itemsOf({ all }, search) {
  const wanted = search.trim().toLowerCase();
  const items = [];
  let above = [];
  for (const { key, kind, label, groups } of all) {
    if (key === NAME || (wanted && !`${key} ${label}`.toLowerCase().includes(wanted))) continue;
    groups.forEach((header, depth) => {
      if (above[depth] === header.key) return;
      items.push({ ...header, kind, depth, isGroup: true });
      above = [...above.slice(0, depth), header.key];
    });
    items.push({ key, kind, label, hint: "", depth: groups.length, isGroup: false });
    above = groups.map((header) => header.key);
  }
  return items;
}
