// The form that makes an alert: "tell ADDRESS when WHAT".

import { ALERT_KINDS, alertWords } from "../core/alert_words.js";
import { statusWords } from "../core/statuses.js";
import { send } from "../data/api.js";
import { projects } from "../data/projects.js";
import { html, useState } from "../lib.js";
import { Button, Dialog, toast } from "../parts/index.js";

const EMPTY = {
  url: "",
  format: "slack",
  kind: "status",
  kinds: ["failed", "lost"],
  metric: "",
  condition: "",
  patience: "1000",
  delta: "0",
  goal: "minimum",
  project: "",
  name: "",
};
const MAX_NAME = 100;
const DECIMAL = "[0-9]*\\.?[0-9]+(e-?[0-9]{1,2})?";
const WHENS = [
  ["status", "a run fails, is lost, ..."],
  ["nan", "a metric is NaN"],
  ["threshold", "a condition holds"],
  ["plateau", "a metric stops getting better"],
];

/** @param {{onClose: () => void}} props Called when it is made, or not wanted. */
export function NewAlert({ onClose }) {
  const [fields, setFields] = useState(EMPTY);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = { fields, problem, set: (more) => setFields({ ...fields, ...more }) };
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await send("POST", "api/alerts", wishOf(fields));
      toast(`Made ${made.name.slice(0, 60)}`, { kind: "good" });
      onClose();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  return html`<${Dialog} title="New alert" onClose=${onClose}>
    <form class="fields" onSubmit=${submit}>
      <${Text} form=${form} name="url" label="Tell" hint="A webhook: only its host is shown from then on"
        more=${{
          inputmode: "url",
          required: true,
          maxlength: 2000,
          placeholder: "https://hooks.slack.com/services/...",
          autofocus: true,
        }} />
      <${Choice} form=${form} name="format" label="As" options=${[
        ["slack", "a line of text, for Slack and what understands it"],
        ["json", "JSON, for a program"],
      ]} />
      <${Choice} form=${form} name="kind" label="When" options=${WHENS} />
      <${When} form=${form} />
      <${Choice} form=${form} name="project" label="Of" options=${[
        ["", "all projects"],
        ...(projects.value ?? []).map((one) => [String(one.id), one.name]),
      ]} />
      <${Text} form=${form} name="name" label="Called" hint="Empty: what it says" more=${{ maxlength: MAX_NAME }} />
      ${problem && problem.field === null && html`<p class="notice bad" role="alert">${problem.text}</p>`}
      <p class="soft">Of runs of which this holds already nothing is told.</p>
      <div class="field-actions">
        <${Button} label="Cancel" onClick=${onClose} />
        <button type="submit" class="button small primary" disabled=${busy}>Make alert</button>
      </div>
    </form>
  </${Dialog}>`;
}

/** What the chosen kind asks for. */
function When({ form }) {
  const { kind } = form.fields;
  if (kind === "status") return html`<${Kinds} form=${form} />`;
  if (kind === "threshold") {
    return html`<${Text} form=${form} name="condition" label="Condition" hint="As in the query box of the table"
      more=${{ required: true, maxlength: 1000, placeholder: "metrics.train.loss>5" }} />`;
  }
  const hint = kind === "nan" ? "Empty: any metric" : "As its plot is called";
  const metric = html`<${Text} form=${form} name="metric" label="Metric" hint=${hint}
    more=${{ required: kind === "plateau", maxlength: 500, placeholder: "train/loss" }} />`;
  if (kind === "nan") return metric;
  return html`${metric}
    <${Choice} form=${form} name="goal" label="Better is" options=${[
      ["minimum", "lower"],
      ["maximum", "higher"],
    ]} />
    <${Text} form=${form} name="patience" label="Steps without a better value" hint="Counted from the newest one"
      more=${{ required: true, inputmode: "numeric", pattern: "[0-9]{1,15}", title: "A whole number" }} />
    <${Text} form=${form} name="delta" label="Better by more than" hint="0: any change for the better counts"
      more=${{ required: true, inputmode: "decimal", pattern: DECIMAL, title: "A number" }} />`;
}

function Kinds({ form }) {
  const { fields, set, problem } = form;
  const turn = (kind) => (event) => {
    const rest = fields.kinds.filter((one) => one !== kind);
    set({ kinds: event.currentTarget.checked ? [...rest, kind] : rest });
  };
  return html`<fieldset class="field kinds">
    <legend>It is then called</legend>
    <div>
      ${ALERT_KINDS.map(
        (kind) => html`<label key=${kind}>
          <input type="checkbox" checked=${fields.kinds.includes(kind)} onChange=${turn(kind)} />
          ${statusWords(kind)}
        </label>`,
      )}
    </div>
    ${problem?.field === "kinds" && html`<small class="problem-text">${problem.text}</small>`}
  </fieldset>`;
}

function Text({ form, name, label, hint, more }) {
  const { fields, set, problem } = form;
  const isWrong = problem?.field === name;
  return html`<div class="field">
    <label for=${`alert-${name}`}>${label}</label>
    <input
      type="text"
      id=${`alert-${name}`}
      value=${fields[name]}
      spellcheck=${false}
      autocomplete="off"
      aria-invalid=${isWrong ? "true" : undefined}
      aria-describedby=${`alert-${name}-hint`}
      onInput=${(event) => set({ [name]: event.currentTarget.value })}
      ...${more}
    />
    <small id=${`alert-${name}-hint`} class=${isWrong ? "problem-text" : ""}>${isWrong ? problem.text : hint}</small>
  </div>`;
}

function Choice({ form, name, label, options }) {
  const { fields, set } = form;
  return html`<div class="field">
    <label for=${`alert-${name}`}>${label}</label>
    <select
      id=${`alert-${name}`}
      value=${fields[name]}
      onChange=${(event) => set({ [name]: event.currentTarget.value })}
    >
      ${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}
    </select>
  </div>`;
}

// -- between the form and the API

function onOf({ kind, kinds, metric, condition, patience, delta, goal }) {
  if (kind === "status") return { kind, kinds };
  if (kind === "nan") return { kind, metric: metric.trim() || null };
  if (kind === "threshold") return { kind, condition: condition.trim() };
  return { kind, metric: metric.trim(), patience_steps: Number(patience), min_delta: Number(delta), goal };
}

function wishOf(fields) {
  const on = onOf(fields);
  const words = alertWords(on);
  const name = fields.name.trim() || (words[0].toUpperCase() + words.slice(1)).slice(0, MAX_NAME);
  const project = fields.project ? Number(fields.project) : null;
  return { name, url: fields.url.trim(), format: fields.format, project, on };
}

/** The API says where a problem is: "body.url: expected ...", or "... - at `$.on.kinds`". */
function problemOf({ message }) {
  const [, ours, text] = /^body\.(\w+): (.*)$/s.exec(message) ?? [];
  const theirs = /`\$\.(?:on\.)?(\w+)`/.exec(message)?.[1] ?? null;
  const shown = (text ?? message).replace(/^body: /, "").replace(/ - at `.*`$/, "");
  const field = ours ?? { patience_steps: "patience", min_delta: "delta" }[theirs] ?? theirs;
  return { field: ["url", "name", "kinds", "metric", "condition"].includes(field) ? field : null, text: shown };
}
