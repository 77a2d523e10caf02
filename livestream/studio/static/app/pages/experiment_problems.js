// Why a run failed, and what it warned of: every text whole, as it came.

import { html, useLayoutEffect, useRef, useState } from "../lib.js";
import { Button, Code, Icon } from "../parts/index.js";

const FOLDED_LINES = 24;
const FOLDED_CHARACTERS = 4_000;

/** @param {{errors: {cls: string, text: string}[], warnings: {cls: string, text: string}[]}} props */
export function Problems({ errors, warnings }) {
  if (!errors.length && !warnings.length) return null;
  return html`<section class="sheet problems" aria-label="Errors and warnings">
    ${errors.map((one, at) => html`<${Problem} key=${`error ${at}`} problem=${one} kind="bad" />`)}
    ${warnings.map((one, at) => html`<${Problem} key=${`warning ${at} ${one.text}`} problem=${one} kind="warn" />`)}
  </section>`;
}

/**
 * The last line of a text says what happened; the lines before it, where.
 *
 * @param {{cls: string, text: string}} problem
 */
export function problemWords({ cls, text }) {
  const last = text.trimEnd().split("\n").at(-1).trim();
  return last.startsWith(cls) || !last ? last || cls : `${cls}: ${last}`;
}

function Problem({ problem, kind }) {
  const [whole, setWhole] = useState(false);
  const { cls, text } = problem;
  const lines = text.split("\n").length;
  const isLong = text.length > FOLDED_CHARACTERS || lines > FOLDED_LINES;
  const box = useRef(null);
  useLayoutEffect(() => {
    const content = box.current?.querySelector("pre");
    if (content) content.scrollTop = content.scrollHeight;
  }, [whole, text]);
  return html`<article class=${`problem ${kind}`}>
    <header>
      <${Icon} name="warning" />
      <h2><span class="unseen">${kind === "bad" ? "Error: " : "Warning: "}</span><code>${cls}</code></h2>
    </header>
    ${
      text &&
      html`<div ref=${box} class=${isLong && !whole ? "folded" : ""}>
          <${Code} text=${text} label="Copy the text" />
        </div>
        ${
          isLong &&
          html`<${Button}
            kind="plain"
            label=${whole ? "Show the end" : `Show all ${lines.toLocaleString("en-US")} lines`}
            onClick=${() => setWhole(!whole)}
          />`
        }`
    }
  </article>`;
}
