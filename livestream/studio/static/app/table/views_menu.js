// Saved views: what is shown and how, under a name, in this browser. What is selected and zoomed is no part of one, so
// that taking up a view never changes what somebody is looking at.

import { defaultView, viewFromQuery, viewToQuery } from "../core/view.js";
import { dropView, renameView, savedViews, saveView } from "../data/saved_views.js";
import { changeView, resetView, view } from "../data/view.js";
import { computed, html, useState } from "../lib.js";
import { Button, Menu, MenuItem } from "../parts/index.js";

const OWN_TO_NOW = ["project", "selected", "full", "zoom", "step"];

/** The view as it would be saved. */
const written = computed(() => viewToQuery({ ...view.value, ...pick(defaultView(), OWN_TO_NOW) }));
const current = computed(() => savedViews.value.find((one) => one.query === written.value)?.name ?? null);

/** The button and the menu: taking up, saving, renaming, deleting. */
export function ViewsMenu() {
  const label = current.value ?? "Views";
  return html`<${Menu} icon="star" label=${label} title="Saved views" align="right" className="views-menu">
    ${(close) => html`<${ViewsPanel} close=${close} />`}
  <//>`;
}

function ViewsPanel({ close }) {
  const [editing, setEditing] = useState(null);
  const list = savedViews.value;
  return html`${list.length > 0 && html`<h3>Saved in this browser</h3>`}
    ${list.map(({ name, query }) =>
      editing === name
        ? html`<${NameForm}
            key=${name}
            start=${name}
            label="Rename"
            onDone=${(next) => {
              renameView(name, next);
              setEditing(null);
            }}
          />`
        : html`<div class="view-line" key=${name}>
            <${MenuItem}
              icon=""
              checked=${current.value === name}
              onClick=${() => {
                load(query);
                close();
              }}
            >${name}<//>
            <${Button} icon="copy" title=${`Save what is shown as ${name}`} kind="plain" onClick=${() => saveView(name, written.value)} />
            <${Button} icon="edit" title=${`Rename ${name}`} kind="plain" onClick=${() => setEditing(name)} />
            <${Button} icon="trash" title=${`Delete the view ${name}`} kind="plain" onClick=${() => dropView(name)} />
          </div>`,
    )}
    ${list.length > 0 && html`<hr />`}
    <${NameForm} start="" label="Save this view" onDone=${(name) => saveView(name, written.value)} />
    <hr />
    <${MenuItem}
      icon="undo"
      onClick=${() => {
        resetView();
        close();
      }}
    >Reset everything<//>`;
}

function NameForm({ start, label, onDone }) {
  const [name, setName] = useState(start);
  const submit = (event) => {
    event.preventDefault();
    if (name.trim() === "") return;
    onDone(name.trim());
    setName("");
  };
  return html`<form class="name-form" onSubmit=${submit}>
    <input
      type="text"
      aria-label=${label}
      placeholder="Name of the view"
      maxlength="60"
      value=${name}
      onInput=${(event) => setName(event.currentTarget.value)}
    />
    <${Button} type="submit" label=${start ? "Rename" : "Save"} disabled=${name.trim() === ""} />
  </form>`;
}

function load(query) {
  changeView({ ...viewFromQuery(query), ...pick(view.value, OWN_TO_NOW) }, { step: true });
}

function pick(from, fields) {
  return Object.fromEntries(fields.map((field) => [field, from[field]]));
}
