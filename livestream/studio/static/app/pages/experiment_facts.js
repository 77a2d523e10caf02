// Where a run comes from and when it was: a list of facts.

import { formatSpan, formatTime, formatValue } from "../core/format.js";
import { html } from "../lib.js";
import { clock } from "../parts/clock.js";
import { Button, copyText, toast } from "../parts/index.js";
import { commitAddress, isCommit } from "./forge.js";
import { Live } from "./live.js";

/** @param {{experiment: object}} props */
export function Facts({ experiment }) {
  const { commit, started, created, done, session } = experiment;
  const began = started ?? created;
  return html`<section class="sheet" aria-labelledby="facts-title">
    <header class="sheet-head"><h2 id="facts-title">Facts</h2></header>
    <dl class="pairs">
      <${Fact} label="Step"><${Live} value=${experiment.step}>${formatValue(experiment.step)}</${Live}></${Fact}>
      <${Fact} label="Started">${formatTime(began)}</${Fact}>
      <${Fact} label="Ended">${done === null ? "not yet" : formatTime(done)}</${Fact}>
      <${Fact} label="Duration"><${Duration} from=${began} done=${done} /></${Fact}>
      <${Fact} label="Sessions">${session === 1 ? "1" : `${session}, started anew ${session - 1} x`}</${Fact}>
      <${Fact} label="Repository">${experiment.repository}</${Fact}>
      ${experiment.subdir && html`<${Fact} label="Folder">${experiment.subdir}</${Fact}>`}
      <${Fact} label="Commit"><${Sha} sha=${experiment.baseline_sha} repoUrl=${experiment.repo_url} /></${Fact}>
      ${
        commit &&
        html`<${Fact} label="Its message">${commit.message}</${Fact}>
        <${Fact} label="Author">${commit.author}</${Fact}>
        ${commit.branches.length > 0 && html`<${Fact} label="Branch">${commit.branches.join(", ")}</${Fact}>`}`
      }
      ${
        experiment.experiment_rev &&
        html`<${Fact} label="Result">
          <${Sha} sha=${experiment.experiment_rev} repoUrl=${experiment.repo_url} />
        </${Fact}>`
      }
      ${
        experiment.references.length > 0 &&
        html`<${Fact} label="Pushed as">${experiment.references.join(", ")}</${Fact}>`
      }
      ${experiment.clients.length > 0 && html`<${Fact} label="Sent by">${experiment.clients.join(", ")}</${Fact}>`}
    </dl>
  </section>`;
}

function Fact({ label, children }) {
  return html`<div>
    <dt>${label}</dt>
    <dd>${children}</dd>
  </div>`;
}

function Duration({ from, done }) {
  return formatSpan((done ?? clock()) - from);
}

/** A commit in short, with its page on the forge where that is known. @param {{sha: string, repoUrl: string}} props */
export function Sha({ sha, repoUrl }) {
  if (!isCommit(sha)) return html`<span class="soft">none: outside Git</span>`;
  const href = commitAddress(repoUrl, sha);
  const short = html`<code title=${sha}>${sha.slice(0, 7)}</code>`;
  const copy = async () =>
    toast((await copyText(sha)) ? `Copied ${sha.slice(0, 7)}` : "This browser lets nothing be copied");
  return html`<span class="sha">
    ${href ? html`<a href=${href} target="_blank" rel="noreferrer">${short}</a>` : short}
    <${Button} icon="copy" title="Copy the commit" kind="plain" onClick=${copy} />
  </span>`;
}
