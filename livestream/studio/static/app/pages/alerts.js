// Alerts: what the Studio tells whom, as a section of the settings. For admins only.

import { alertWords } from "../core/alert_words.js";
import { formatAgo } from "../core/format.js";
import { get, send } from "../data/api.js";
import { projects, reloadProjects } from "../data/projects.js";
import { html, signal, useEffect, useState } from "../lib.js";
import { clock } from "../parts/clock.js";
import { Button, Dialog, Switch, toast } from "../parts/index.js";
import { NewAlert } from "./alerts_form.js";

const REFRESH_MS = 10_000;

/** @type {import("../lib.js").Signal<object[]|null>} Rules as the API has them; null: not read yet. */
const alerts = signal(null);
const trouble = signal("");

async function reload() {
  try {
    alerts.value = (await get("api/alerts")).alerts;
    trouble.value = "";
  } catch (error) {
    trouble.value = error.message;
  }
}

/** Rules with what became of them, and making one. */
export function AlertsSection() {
  const [dialog, setDialog] = useState(null);
  useEffect(() => {
    reload();
    reloadProjects();
    const timer = setInterval(() => document.hidden || reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const close = () => {
    setDialog(null);
    reload();
  };
  return html`<section class="sheet" aria-labelledby="alerts-title">
    <header class="sheet-head">
      <h2 id="alerts-title">Alerts</h2>
      <${Button} icon="plus" label="New alert" onClick=${() => setDialog({ kind: "new" })} />
    </header>
    ${trouble.value && html`<p class="notice bad" role="alert">Alerts could not be read: ${trouble.value}</p>`}
    <${Rules} onDelete=${(rule) => setDialog({ kind: "delete", rule })} />
    ${dialog?.kind === "new" && html`<${NewAlert} onClose=${close} />`}
    ${dialog?.kind === "delete" && html`<${DeleteAlert} rule=${dialog.rule} onClose=${close} />`}
  </section>`;
}

function Rules({ onDelete }) {
  if (alerts.value === null) return trouble.value ? null : html`<div class="bone line-bone"></div>`;
  if (!alerts.value.length) {
    return html`<p class="hint">
      None yet. A chat or a program of yours can be told when a run fails, falls silent, has NaN, or stops getting
      better.
    </p>`;
  }
  return html`<ul class="alerts">
    ${alerts.value.map((rule) => html`<${RuleLine} key=${rule.id} rule=${rule} onDelete=${() => onDelete(rule)} />`)}
  </ul>`;
}

function RuleLine({ rule, onDelete }) {
  const [busy, setBusy] = useState(false);
  const name = rule.name.slice(0, 60);
  const doing = async (work) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      toast(error.message, { kind: "bad" });
    }
    await reload();
    setBusy(false);
  };
  const turn = (enabled) => {
    alerts.value = alerts.value.map((one) => (one.id === rule.id ? { ...one, enabled } : one));
    return doing(() => send("PUT", `api/alerts/${rule.id}`, { ...wishOf(rule), enabled }));
  };
  const test = () =>
    doing(async () => {
      const result = await send("POST", `api/alerts/${rule.id}/test`);
      toast(`${name}: ${result.detail}`, { kind: result.ok ? "good" : "bad" });
    });
  return html`<li class=${rule.enabled ? "alert" : "alert off"}>
    <div class="alert-main">
      <b>${rule.name}</b>
      <p>
        Tell <span class="path">${rule.host}</span>${rule.format === "slack" ? " (Slack)" : ""} when
        <span class="path"> ${alertWords(rule.on)}</span><${OfProject} project=${rule.project} />
      </p>
      <${Last} rule=${rule} />
    </div>
    <div class="page-actions">
      <${Switch}
        checked=${rule.enabled}
        label=${rule.enabled ? "On" : "Off"}
        title=${`${name}: on or off`}
        onChange=${turn}
      />
      <${Button} label="Send test" disabled=${busy} onClick=${test} />
      <${Button} icon="trash" title=${`Delete the alert ${name}`} kind="danger" onClick=${onDelete} />
    </div>
  </li>`;
}

function OfProject({ project }) {
  if (project === null) return null;
  const found = (projects.value ?? []).find((one) => one.id === project);
  return html`, in ${found ? html`<span class="path">${found.name}</span>` : "a project that is no more"}`;
}

/** What became of the last message, and what waits. */
function Last({ rule }) {
  const waiting = rule.waiting ? ` ${rule.waiting} ${rule.waiting === 1 ? "waits" : "wait"} to be sent.` : "";
  if (!rule.last) return html`<p>Nothing sent yet.${waiting}</p>`;
  const text = `${rule.last.detail}, ${formatAgo(rule.last.time, clock())}.`;
  return html`<p class=${rule.last.ok ? "" : "problem-text"}>${text[0].toUpperCase() + text.slice(1)}${waiting}</p>`;
}

/** A rule as PUT takes it; without its address it keeps the one it has. */
function wishOf({ name, project, on, enabled, format }) {
  return { name, project, on, enabled, format };
}

function DeleteAlert({ rule, onClose }) {
  const [error, setError] = useState("");
  const drop = async () => {
    try {
      await send("DELETE", `api/alerts/${rule.id}`);
      toast(`Deleted the alert ${rule.name.slice(0, 60)}`);
      onClose();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title=${`Delete ${rule.name.slice(0, 60)}`} onClose=${onClose}>
    <p>Nothing more is sent to ${rule.host} by it, also what waits. Its address is forgotten.</p>
    ${error && html`<p class="notice bad" role="alert">${error}</p>`}
    <div class="field-actions">
      <${Button} label="Cancel" onClick=${onClose} />
      <${Button} label="Delete alert" kind="danger" onClick=${drop} />
    </div>
  </${Dialog}>`;
}
