// The section of plots that clients send whole, a card for each path. What draws them is loaded once there is one: most
// runs have none, and it is a tenth of the page's code.

import { filesOf, useHeld } from "../data/files.js";
import { view } from "../data/view.js";
import { html, signal, useEffect, useMemo } from "../lib.js";
import { toast } from "../parts/index.js";
import { matcher } from "./model.js";
import { openedOf } from "./opened.js";
import { SectionHead, sectionId, useListed } from "./section.js";
import { shownRuns } from "./shown_runs.js";

const MAX_RUNS = 20;
const KEY = "*custom";

const cards = signal(null);

async function loadCards() {
  try {
    cards.value = await import("./template_card.js");
  } catch {
    toast("Custom plots could not be loaded: is the Studio up?", { kind: "bad" });
  }
}

/** @param {{experiments: (number|object)[]}} props Ids or rows of the runs. */
export function TemplatesSection({ experiments }) {
  const all = shownRuns(experiments);
  const ids = all.map((run) => run.id).join(" ");
  const { content } = useHeld(useMemo(() => filesOf(all.map((run) => run.id)), [ids]));
  const { search, folded } = view.value;
  const having = useMemo(() => runsByPath(content ?? []), [content]);
  const isThere = having.size > 0;
  useEffect(() => {
    if (isThere && cards.peek() === null) loadCards();
  }, [isThere]);
  const paths = [...having.keys()].filter(matcher(search)).sort();
  useListed(KEY, "Custom plots", paths.length);
  if (paths.length === 0) return null;
  const runsOf = (path) => all.filter((run) => having.get(path)?.has(run.id)).slice(0, MAX_RUNS);
  const full = openedOf("plot");
  return html`<section class="media-section" id=${sectionId(KEY)} aria-label="Custom plots">
    <${SectionHead} sectionKey=${KEY} title="Custom plots" count=${paths.length} />
    ${!folded.includes(KEY) &&
    html`<div class="media-grid">
      ${paths.map((path) => html`<${Card} key=${path} path=${path} runs=${runsOf(path)} selected=${all.length} />`)}
    </div>`}
    ${having.has(full) && cards.value && html`<${cards.value.FullPlot} path=${full} runs=${runsOf(full)} />`}
  </section>`;
}

function Card(props) {
  if (cards.value) return html`<${cards.value.TemplateCard} ...${props} />`;
  return html`<article class="media-card"><div class="media-bone"></div></article>`;
}

function runsByPath(files) {
  const found = new Map();
  for (const file of files) {
    if (file.kind !== "plot") continue;
    if (!found.has(file.path)) found.set(file.path, new Set());
    found.get(file.path).add(file.experiment);
  }
  return found;
}
