// The facts of experiments side by side: what they are, where they come from, and how they do.

import { formatSpan, formatTime } from "../core/format.js";
import { html } from "../lib.js";
import { clock } from "../parts/clock.js";
import { Delivery } from "../parts/delivery.js";
import { Icon } from "../parts/index.js";
import { Sha } from "./experiment_facts.js";
import { compareAddress } from "./forge.js";

/** @returns {{label: string, text: (row: object) => string, draw?: Function, always?: boolean}[]} What any row has. */
export function factsOf(rows) {
  return [
    { label: "Status", text: (row) => row.status.reason, always: true },
    { label: "Message", text: (row) => row.message ?? "–" },
    { label: "Commit", text: (row) => row.baseline_sha, draw: drawCommit },
    { label: "Its message", text: (row) => row.commit?.message ?? "–" },
    { label: "Branch", text: (row) => row.commit?.branches.join(", ") || "–" },
    { label: "Repository", text: (row) => row.repository },
    { label: "Folder", text: (row) => row.subdir || "–" },
    { label: "Created", text: (row) => formatTime(row.created), always: true },
    { label: "Duration", text: durationOf, always: true, draw: (row) => html`<${Duration} row=${row} />` },
    { label: "Delivery", text: (row) => String(row.id), always: true, draw: (row) => html`<${Delivery} row=${row} />` },
    { label: "Sent by", text: (row) => row.clients.join(", ") || "–" },
  ].filter((fact) => rows.some((row) => fact.text(row) !== "–"));
}

function durationOf(row) {
  return String((row.done ?? 0) - (row.started ?? row.created));
}

function Duration({ row }) {
  return formatSpan((row.done ?? clock()) - (row.started ?? row.created));
}

function drawCommit(row, reference) {
  const href =
    row.baseline_sha === reference.baseline_sha
      ? null
      : compareAddress(row.repo_url, reference.baseline_sha, row.baseline_sha);
  return html`<${Sha} sha=${row.baseline_sha} repoUrl=${row.repo_url} /> ${
      href &&
      html`<a class="forge" href=${href} target="_blank" rel="noreferrer">Diff <${Icon} name="out" size=${12} /></a>`
    }`;
}

/** @param {{fact: object, rows: object[], reference: object}} props */
export function FactLine({ fact, rows, reference }) {
  return html`<tr>
    <th scope="row">${fact.label}</th>
    ${rows.map((row) => {
      const isSame = fact.always || row.id === reference.id || fact.text(row) === fact.text(reference);
      return html`<td key=${row.id} class=${isSame ? "" : "other"}>
        ${fact.draw?.(row, reference) ?? html`<span class="clamped" title=${fact.text(row)}>${fact.text(row)}</span>`}
      </td>`;
    })}
  </tr>`;
}

/** Whether a fact, as text, is not the same for all. */
export function differs(rows, textOf) {
  return rows.some((row) => textOf(row) !== textOf(rows[0]));
}
