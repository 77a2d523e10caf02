// What happened to a run, newest first, and which files it left.

import { formatAgo, formatTime, plural } from "../core/format.js";
import { html, useState } from "../lib.js";
import { Icon, Search } from "../parts/index.js";
import { problemWords } from "./experiment_problems.js";
import { eventWords } from "./experiment_timeline.js";

const AT_ONCE = 100;
const MOST_IN_SIGHT = 5;

/** @param {{log: object[]|null, now: number}} props `log`: oldest first. */
export function EventLog({ log, now }) {
  const [search, setSearch] = useState("");
  const [kind, setKind] = useState("");
  const [most, setMost] = useState(AT_ONCE);
  const lines = (log ?? []).map((line, at) => ({ ...line, at, text: textOf(line) })).reverse();
  const kinds = [...new Set(lines.map((line) => line.kind))].sort();
  const wanted = search.trim().toLowerCase();
  const found = lines.filter(
    (line) => (!kind || line.kind === kind) && `${eventWords(line.kind)} ${line.text}`.toLowerCase().includes(wanted),
  );
  return html`<section class="sheet" aria-labelledby="log-title">
    <header class="sheet-head">
      <h2 id="log-title">Events <small>${lines.length.toLocaleString("en-US")}</small></h2>
      <div class="sheet-tools">
        ${
          kinds.length > 1 &&
          html`<select
            class="small"
            aria-label="Kind of event"
            value=${kind}
            onChange=${(event) => setKind(event.currentTarget.value)}
          >
            <option value="">All kinds</option>
            ${kinds.map((one) => html`<option key=${one} value=${one}>${eventWords(one)}</option>`)}
          </select>`
        }
        <${Search} value=${search} onInput=${setSearch} label="Search in events" />
      </div>
    </header>
    ${
      found.length === 0 &&
      html`<p class="hint">${lines.length ? "No event matches." : "Nothing has happened yet."}</p>`
    }
    <ol class="log" tabindex=${found.length > MOST_IN_SIGHT ? 0 : undefined}>
      ${found.slice(0, most).map(
        (line) =>
          html`<li key=${line.at} class=${line.kind}>
            <time title=${formatAgo(line.time, now)}>${formatTime(line.time)}</time>
            <span class="log-kind">${eventWords(line.kind)}</span>
            <span class="log-text">${line.text}</span>
          </li>`,
      )}
    </ol>
    ${
      found.length > most &&
      html`<button type="button" class="button small" onClick=${() => setMost(most + AT_ONCE)}>
        Show ${Math.min(AT_ONCE, found.length - most)} more
      </button>`
    }
  </section>`;
}

/** A line's detail in words; the shapes are those that the store writes, others are shown as they are. */
function textOf({ detail }) {
  const { message, reason, cls, text, errors, before, ...rest } = detail;
  const first = errors?.[0] ?? (cls ? { cls, text } : null);
  const said = first ? problemWords({ cls: first.cls, text: first.text ?? "" }) : (message ?? reason ?? "");
  const more = errors?.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const others = Object.keys(rest).length ? JSON.stringify(rest) : "";
  return [said + more, others].filter(Boolean).join(" ");
}

/** @param {{files: {path: string, kind: string, count: number, first_step: number, last_step: number}[]|null}} props */
export function Files({ files }) {
  if (!files?.length) return null;
  return html`<section class="sheet" aria-labelledby="files-title">
    <header class="sheet-head">
      <h2 id="files-title">Files <small>${files.length.toLocaleString("en-US")}</small></h2>
    </header>
    <ul class="files" tabindex=${files.length > MOST_IN_SIGHT ? 0 : undefined}>
      ${files.map(
        (file) =>
          html`<li key=${`${file.kind} ${file.path}`}>
            <${Icon} name=${file.kind === "image" ? "image" : "chart"} />
            <span class="path">${file.path} <small>${fileText(file)}</small></span>
          </li>`,
      )}
    </ul>
  </section>`;
}

function fileText(file) {
  const what = plural(file.count, file.kind === "image" ? "image" : "plot");
  if (file.first_step === null || file.first_step === undefined) return what;
  const steps =
    file.first_step === file.last_step ? `step ${file.last_step}` : `steps ${file.first_step} to ${file.last_step}`;
  return `${what}, ${steps}`;
}
