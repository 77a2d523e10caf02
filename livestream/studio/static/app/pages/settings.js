// What a person can set, and how trainings find this Studio.

import { address } from "../data/api.js";
import { may } from "../data/rights.js";
import { dropView, renameView, savedViews } from "../data/saved_views.js";
import { html, useEffect, useState } from "../lib.js";
import { Button, Code, Icon, THEMES, theme } from "../parts/index.js";
import { AlertsSection } from "./alerts.js";
import { ShortcutsList } from "./help.js";

/** The page `settings`. */
export function SettingsPage() {
  useEffect(() => {
    document.title = "Settings · livestream";
  }, []);
  return html`<div class="page settings">
    <header class="page-head"><h1>Settings</h1></header>
    <section class="sheet" aria-labelledby="look-title">
      <h2 id="look-title">Look</h2>
      <${Setting} label="Theme"><${ThemeChoice} /></${Setting}>
      <${Setting} label="Saved views"><${Views} /></${Setting}>
    </section>
    ${may("admin") && html`<${AlertsSection} />`}
    <${SendHere} />
    <section class="sheet" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <${ShortcutsList} />
    </section>
    <${About} />
  </div>`;
}

function Setting({ label, children }) {
  return html`<div class="setting">
    <span>${label}</span>
    <div>${children}</div>
  </div>`;
}

function ThemeChoice() {
  return html`<div class="choices" role="group" aria-label="Theme">
    ${THEMES.map(
      ([name, label, icon]) =>
        html`<${Button}
          key=${name}
          icon=${icon}
          label=${label}
          pressed=${theme.value === name}
          onClick=${() => (theme.value = name)}
        />`,
    )}
  </div>`;
}

// -- saved views

function Views() {
  const views = savedViews.value;
  if (!views.length) {
    return html`<p>None yet. In the table, “Views” saves columns, filters and order under a name.</p>`;
  }
  return html`<ul class="views">
      ${views.map((one) => html`<${SavedView} key=${one.name} one=${one} />`)}
    </ul>
    <p>Kept in this browser; the address of a view can be shared.</p>`;
}

function SavedView({ one }) {
  const [name, setName] = useState(null);
  const rename = (event) => {
    event.preventDefault();
    const wanted = (name ?? "").trim();
    if (wanted) renameView(one.name, wanted);
    setName(null);
  };
  if (name !== null) {
    return html`<li>
      <form class="choices" onSubmit=${rename}>
        <input
          type="text"
          value=${name}
          aria-label="New name"
          maxlength="60"
          autofocus
          onInput=${(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" class="button small">Rename</button>
        <${Button} label="Cancel" kind="plain" onClick=${() => setName(null)} />
      </form>
    </li>`;
  }
  return html`<li>
    <a href=${addressOfView(one)}>${one.name}</a>
    <${Button} label="Rename" kind="plain" onClick=${() => setName(one.name)} />
    <${Button} icon="trash" title=${`Delete the view ${one.name}`} kind="plain" onClick=${() => dropView(one.name)} />
  </li>`;
}

/** A view without a word in its address still has one, or the link would lead to where the table was left. */
function addressOfView({ query }) {
  return address("") + (query || "?rows=git");
}

// -- sending

function SendHere() {
  const url = document.body.dataset.url ?? address("").href;
  const mayMake = may("admin");
  return html`<section class="sheet" aria-labelledby="send-title">
    <h2 id="send-title">Send experiments here</h2>
    <${Setting} label="On this machine">
      <p>A training that uses livestream finds the Studio by itself:</p>
      <${Code} text="python train.py" />
    </${Setting}>
    <${Setting} label="Anywhere, DVCLive and DVC too">
      <p>
        Two variables say where it is; the token needs the scope ingest.
        ${mayMake && html` It is made on <a href=${address("tokens")}>the tokens page</a>.`}
      </p>
      <${Code} text=${`export DVC_STUDIO_URL=${url}\nexport DVC_STUDIO_TOKEN=<token>`} />
    </${Setting}>
    <${Setting} label="By a login">
      <p>DVC keeps the token in its own configuration:</p>
      <${Code} text=${`dvc studio login --hostname ${url}`} />
    </${Setting}>
    <${Setting} label="Is it right?">
      <p>Tells which Studio and token are in force, and tries them:</p>
      <${Code} text="livestream doctor" />
    </${Setting}>
  </section>`;
}

function About() {
  const { version, name, scopes } = document.body.dataset;
  return html`<section class="sheet" aria-labelledby="about-title">
    <h2 id="about-title">About</h2>
    <${Setting} label="Version">livestream ${version ?? "–"}</${Setting}>
    <${Setting} label="Signed in with">
      ${name ?? "–"} <span class="soft">(${(scopes ?? "").split(" ").join(", ")})</span>
    </${Setting}>
    <${Setting} label="Read API">
      <a href=${address("api/openapi.json")} target="_blank">OpenAPI document <${Icon} name="out" size=${12} /></a>
      <p>Everything that this page shows can be read with a token of the scope read.</p>
    </${Setting}>
    <${Setting} label="Monitoring">
      <a href=${address("metrics")} target="_blank">Figures for Prometheus <${Icon} name="out" size=${12} /></a>
    </${Setting}>
  </section>`;
}
