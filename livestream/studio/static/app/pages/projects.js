// The projects: one comes by itself with the first experiment of a repository; more can be made, one a folder say.

import { formatAgo } from "../core/format.js";
import { LIVE } from "../core/statuses.js";
import { address, send } from "../data/api.js";
import { rows, state } from "../data/experiments.js";
import { projects, reloadProjects } from "../data/projects.js";
import { may } from "../data/rights.js";
import { html, useEffect, useMemo, useState } from "../lib.js";
import { clock } from "../parts/clock.js";
import { Button, Code, Dialog, Empty, Icon, Search, toast } from "../parts/index.js";

const SEARCH_FROM = 8;

/** The page `projects`. */
export function ProjectsPage() {
  const [search, setSearch] = useState("");
  const [dialog, setDialog] = useState(null);
  const mayChange = may("admin");
  const all = projects.value;
  const counts = useMemo(() => countsOf(rows.value), [rows.value]);
  useEffect(() => {
    document.title = "Projects · livestream";
    reloadProjects();
  }, []);
  if (all === null)
    return html`<div class="page">
      <div class="bone block"></div>
      <div class="bone block"></div>
    </div>`;
  const wanted = search.trim().toLowerCase();
  const shown = all.filter((one) => `${one.name} ${one.repository} ${one.subdir}`.toLowerCase().includes(wanted));
  return html`<div class="page projects-page">
    <${Head}
      search=${search}
      onSearch=${all.length >= SEARCH_FROM ? setSearch : null}
      onNew=${mayChange ? () => setDialog({ kind: "new" }) : null}
    />
    ${all.length === 0 && html`<${NoProjects} />`}
    <ul class="projects">
      ${shown.map(
        (one) =>
          html`<${ProjectCard}
            key=${one.id}
            project=${one}
            counts=${counts.get(one.id)}
            onDelete=${mayChange ? () => setDialog({ kind: "delete", project: one }) : null}
          />`,
      )}
    </ul>
    ${all.length > 0 && shown.length === 0 && html`<p class="soft">No project matches.</p>`}
    ${dialog?.kind === "new" && html`<${NewProject} onClose=${() => setDialog(null)} />`}
    ${
      dialog?.kind === "delete" && html`<${DeleteProject} project=${dialog.project} onClose=${() => setDialog(null)} />`
    }
  </div>`;
}

function Head({ search, onSearch, onNew }) {
  return html`<header class="page-head">
    <div class="page-title">
      <h1>Projects</h1>
      <div class="page-actions">
        ${onSearch && html`<${Search} value=${search} onInput=${onSearch} label="Search in projects" />`}
        ${onNew && html`<${Button} icon="plus" label="New project" kind="primary" onClick=${onNew} />`}
      </div>
    </div>
    <p class="soft">
      Every repository has a project as soon as an experiment of it comes. More can be made over one repository, for
      example one for a folder of it.
    </p>
  </header>`;
}

/** @returns {Map<number, {count: number, live: number, updated: number}>} By project, of the loaded experiments. */
function countsOf(all) {
  const counts = new Map();
  for (const row of all) {
    for (const id of row.projects) {
      const one = counts.get(id) ?? { count: 0, live: 0, updated: 0 };
      one.count += 1;
      one.live += LIVE.has(row.status.kind) ? 1 : 0;
      one.updated = Math.max(one.updated, row.updated);
      counts.set(id, one);
    }
  }
  return counts;
}

function ProjectCard({ project, counts, onDelete }) {
  return html`<li class="sheet project">
    <div class="project-main">
      <h2><a href=${address("", { project: project.id })}>${project.name}</a></h2>
      <p class="project-place">
        <span><${Icon} name="branch" />${project.repository}</span>
        ${project.subdir && html`<span><${Icon} name="folder" />${project.subdir}</span>`}
      </p>
      <p class="soft"><${Attached} project=${project} /></p>
    </div>
    <div class="project-counts">
      <${Counts} counts=${counts} />
    </div>
    <div class="page-actions">
      <a class="button small" href=${address("", { project: project.id })}>Open</a>
      ${
        onDelete &&
        html`<${Button}
          icon="trash"
          title=${`Delete the project ${project.name.slice(0, 60)}`}
          kind="danger"
          onClick=${onDelete}
        />`
      }
    </div>
  </li>`;
}

function Counts({ counts }) {
  if (state.value.phase === "loading") return html`<span class="bone count"></span>`;
  if (!counts) return html`<span class="soft">No experiments</span>`;
  return html`<span
      ><b>${counts.count.toLocaleString("en-US")}</b> ${counts.count === 1 ? "experiment" : "experiments"}</span
    >
    ${counts.live > 0 && html`<span class="status running">${counts.live.toLocaleString("en-US")} live</span>`}
    <span class="soft">${formatAgo(counts.updated, clock())}</span>`;
}

/** Whether experiments stand under their commits, and why not. */
function Attached({ project }) {
  if (project.problem !== null)
    return html`<span class="problem-text">The repository could not be read: ${project.problem}</span>`;
  if (project.attached) return "Its history is known: experiments stand under their commits.";
  return html`Its history is not known: start the Studio with <code>--repo</code> to see experiments under their
    commits.`;
}

function NoProjects() {
  return html`<${Empty} title="No project yet">
    <p>The first one comes by itself, with the first experiment that a training sends:</p>
    <${Code} text="python train.py" />
    <p>How a training finds this Studio is told on <a href=${address("settings")}>the settings page</a>.</p>
  </${Empty}>`;
}

function NewProject({ onClose }) {
  const [fields, setFields] = useState({ repo_url: "", subdir: "", name: "" });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await send("POST", "api/projects", fields);
      await reloadProjects();
      toast(`Made ${made.name.slice(0, 60)}`, { kind: "good" });
      onClose();
    } catch (error) {
      setProblem(problemOf(error));
      setBusy(false);
    }
  };
  const field = (name, label, hint, more = {}) =>
    html`<div class="field">
      <label for=${`${name}-field`}>${label}</label>
      <input
        type="text"
        id=${`${name}-field`}
        value=${fields[name]}
        spellcheck=${false}
        autocomplete="off"
        aria-invalid=${problem?.field === name ? "true" : undefined}
        aria-describedby=${`${name}-hint`}
        onInput=${(event) => setFields({ ...fields, [name]: event.currentTarget.value })}
        ...${more}
      />
      <small id=${`${name}-hint`} class=${problem?.field === name ? "problem-text" : ""}>
        ${problem?.field === name ? problem.text : hint}
      </small>
    </div>`;
  return html`<${Dialog} title="New project" onClose=${onClose}>
    <form class="fields" onSubmit=${submit}>
      ${field("repo_url", "Repository", "https://host/owner/name or git@host:owner/name", {
        required: true,
        autofocus: true,
        maxlength: 1000,
      })}
      ${field("subdir", "Folder", "Only experiments of this folder; empty: the whole repository", { maxlength: 1000 })}
      ${field("name", "Name", "Empty: called after the repository and folder", { maxlength: 200 })}
      ${problem && problem.field === null && html`<p class="notice bad" role="alert">${problem.text}</p>`}
      <div class="field-actions">
        <${Button} label="Cancel" onClick=${onClose} />
        <button type="submit" class="button small primary" disabled=${busy}>Make project</button>
      </div>
    </form>
  </${Dialog}>`;
}

/** The API says where a problem is: "body.repo_url: no repository's URL", or "... - at `$.repo_url`". */
function problemOf({ message }) {
  const [, ours, text] = /^body\.(\w+): (.*)$/s.exec(message) ?? [];
  const field = ours ?? /`\$\.(\w+)`/.exec(message)?.[1] ?? null;
  const isShown = ["repo_url", "subdir", "name"].includes(field);
  return { field: isShown ? field : null, text: (text ?? message).replace(/^body: /, "").replace(/ - at `.*`$/, "") };
}

function DeleteProject({ project, onClose }) {
  const [error, setError] = useState("");
  const drop = async () => {
    try {
      await send("DELETE", `api/projects/${project.id}`);
      await reloadProjects();
      toast(`Deleted the project ${project.name.slice(0, 60)}`);
      onClose();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title=${`Delete ${project.name.slice(0, 60)}`} onClose=${onClose}>
    <p>
      Its experiments stay: they show in the other projects of ${project.repository}, and among all experiments. A new
      experiment of the repository brings a project back.
    </p>
    ${error && html`<p class="notice bad" role="alert">${error}</p>`}
    <div class="field-actions">
      <${Button} label="Cancel" onClick=${onClose} />
      <${Button} label="Delete project" kind="danger" onClick=${drop} />
    </div>
  </${Dialog}>`;
}
