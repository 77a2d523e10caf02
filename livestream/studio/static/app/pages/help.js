// The keys, and what the words and colours of the pages mean.

import { html } from "../lib.js";
import { Chip, Dialog, declareKeys, shortcuts } from "../parts/index.js";

declareKeys("Everywhere", [
  ["?", "This help"],
  ["Esc", "Close what is open"],
]);

/** As docs/studio.md has them, with the bounds that a Studio begins with. */
const STATUSES = [
  ["running", "It speaks, and steps come"],
  ["catching_up", "What waits on the node is more than 30 s old, or a large update is being applied"],
  ["stalled", "It speaks, but no step came for 120 s, or for 5 of its usual pauses between steps"],
  ["silent", "No heartbeat for 60 s; clients that never beat: nothing for 10 min"],
  ["lost", "No heartbeat for 10 min; clients that never beat: nothing for 24 h. Late data revives it"],
  ["completed", "It ended without errors"],
  ["completed_with_gaps", "The same, but something is known that never came"],
  ["failed", "It ended with errors; the first of them is the reason"],
  ["interrupted", "A signal or Ctrl-C ended it"],
];
const DELIVERIES = [
  ["live", "Nothing older than 5 s waits on the node"],
  ["42 s behind", "The oldest event that waits is so old"],
  ["replaying", "The backlog shrinks; the estimate takes the speed of the last two minutes"],
  ["2 gaps", "Later events came, these never did"],
  ["refused", "Events that the node had to give up, and why"],
  ["–", "Not known: DVCLive and DVC tell nothing of their queue"],
];
const COLOURS = [
  ["metrics", "Metrics"],
  ["params", "Params"],
  ["files", "Files of plots and images"],
  ["machine", "The machine"],
  ["changed", "Changed this moment"],
  ["better", "Better than the baseline, by the goal that you set"],
  ["worse", "Worse than the baseline"],
];

/** @param {{onClose: () => void}} props */
export function HelpDialog({ onClose }) {
  return html`<${Dialog} title="Keys and words" onClose=${onClose} className="help">
    <div class="help-columns" tabindex="0">
      <section aria-label="Keys"><${ShortcutsList} /></section>
      <section aria-label="Words and colours">
        <h3>Statuses</h3>
        <dl class="keys words">
          ${STATUSES.map(
            ([kind, text]) =>
              html`<div key=${kind}>
                <dt><${Chip} status=${{ kind, reason: text }} /></dt>
                <dd>${text}</dd>
              </div>`,
          )}
        </dl>
        <section class="below">
          <h3>Delivery</h3>
          <dl class="keys words">${DELIVERIES.map(
            ([word, text]) =>
              html`<div key=${word}>
                <dt>${word}</dt>
                <dd>${text}</dd>
              </div>`,
          )}</dl>
        </section>
        <section class="below">
          <h3>Colours</h3>
          <dl class="keys words">
            ${COLOURS.map(
              ([name, text]) =>
                html`<div key=${name}>
                  <dt><span class=${`colour-swatch ${name}`}></span></dt>
                  <dd>${text}</dd>
                </div>`,
            )}
          </dl>
        </section>
      </section>
    </div>
  </${Dialog}>`;
}

/** Everything that was declared, by section. */
export function ShortcutsList() {
  return [...shortcuts].map(
    ([title, list]) =>
      html`<section class="below" key=${title}>
        <h3>${title}</h3>
        <dl class="keys">
          ${list.map(
            ([keys, text]) =>
              html`<div key=${keys}>
                <dt>${caps(keys)}</dt>
                <dd>${text}</dd>
              </div>`,
          )}
        </dl>
      </section>`,
  );
}

/** "j, k" and "x or Space" as keys; the words between them stay words. */
function caps(keys) {
  return keys.split(/(, | or | and | to )/).map((word, at) => (at % 2 ? word : html`<kbd key=${at}>${word}</kbd>`));
}
