// Delivery truth of a run: some words in a cell, and all of it in a panel that they open.
//
// Samples of the backlog are kept here, by experiment: they come as rows are drawn, with the time of the node's word.

import { deliveryDetails, deliveryWords, withSample } from "../core/delivery.js";
import { html, useId, useLayoutEffect, useRef, useState } from "../lib.js";
import { clock } from "./clock.js";
import { place } from "./panel.js";

const MOST_KEPT = 2_000;

const samplesOf = new Map();

/**
 * @param {{row: {id: number, delivery: import("../core/delivery.js").Delivery, status: {kind: string}}}} props A row of
 *   the table, or an experiment as the API tells it.
 */
export function Delivery({ row }) {
  const [open, setOpen] = useState(false);
  const button = useRef(null);
  const id = useId();
  const samples = sampled(row);
  const words = deliveryWords(row, clock(), samples);
  return html`<span class="delivery">
    <button
      type="button"
      ref=${button}
      class=${`delivery-words ${words.tone}`}
      popovertarget=${id}
      title=${words.text}
      aria-label=${`Delivery: ${words.text === "–" ? "not known" : words.text}`}
      onClick=${(event) => event.stopPropagation()}
    >
      ${words.text}
    </button>
    <${Popover} id=${id} anchor=${button} onToggle=${setOpen}>
      ${
        open &&
        html`<h3>Delivery</h3>
          <${DeliveryDetails} row=${row} />`
      }
    </${Popover}>
  </span>`;
}

/** The words alone, where the details stand below them. */
export function DeliveryWords({ row }) {
  const words = deliveryWords(row, clock(), sampled(row));
  return html`<span class=${`delivery-words still ${words.tone}`}
    >${words.text === "–" ? "not known" : words.text}</span
  >`;
}

/** All that is known: the same in the panel and on the page of the experiment. */
export function DeliveryDetails({ row }) {
  const { facts, losses, gaps, more, note } = deliveryDetails(row, clock(), sampled(row));
  return html`<div class="delivery-details">
    ${note && html`<p class="hint">${note}</p>`}
    <dl class="pairs">
      ${facts.map(
        ([label, text]) =>
          html`<div key=${label}>
            <dt>${label}</dt>
            <dd>${text}</dd>
          </div>`,
      )}
    </dl>
    ${
      losses.length > 0 &&
      html`<h4>Given up on the node</h4>
        <ul>
          ${losses.map(
            (one) => html`<li key=${one.reason}><b>${one.count.toLocaleString("en-US")}</b> ${one.text}</li>`,
          )}
        </ul>`
    }
    ${
      gaps.length > 0 &&
      html`<h4>Gaps</h4>
        <ul>
          ${gaps.map((gap) => html`<li key=${gap.writer + gap.text}>${gap.text} <code>${gap.writer}</code></li>`)}
          ${more > 0 && html`<li>and ${more.toLocaleString("en-US")} more events in later gaps</li>`}
        </ul>`
    }
  </div>`;
}

/** The browser's own popover, for there is one in every row: above everything, whatever clips the cell; a click elsewhere and Escape close it. */
function Popover({ id, anchor, onToggle, children }) {
  const panel = useRef(null);
  const [isOpen, setOpen] = useState(false);
  useLayoutEffect(() => {
    if (isOpen) place(panel.current, anchor.current, "left");
  });
  const toggle = (event) => {
    const opens = event.newState === "open";
    setOpen(opens);
    onToggle(opens);
  };
  return html`<div
    class="panel delivery-panel"
    popover="auto"
    id=${id}
    ref=${panel}
    onClick=${(event) => event.stopPropagation()}
    onBeforeToggle=${toggle}
  >
    ${children}
  </div>`;
}

function sampled(row) {
  const { heard, backlog_rows: rows } = row.delivery;
  const before = samplesOf.get(row.id) ?? [];
  const after = withSample(before, { time: heard, rows });
  if (after.length) samplesOf.set(row.id, after);
  else samplesOf.delete(row.id);
  if (samplesOf.size > MOST_KEPT) samplesOf.delete(samplesOf.keys().next().value);
  return after;
}
