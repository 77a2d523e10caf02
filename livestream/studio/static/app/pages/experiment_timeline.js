// The life of a run as a bar: what it was called from when to when, and what happened on the way.
//
// The log tells moments. Each of them begins a state that lasts until the next one; what is left at the end is the
// state that the Studio judges now. Moments that a bar cannot show apart are one mark.

import { formatSpan, formatTime } from "../core/format.js";
import { ENDED, statusWords } from "../core/statuses.js";
import { html } from "../lib.js";

/** What state a line of the log begins; others (warnings) only happen. */
const STATES = new Map([
  ["started", "running"],
  ["resumed", "running"],
  ["reopened", "running"],
  ["running", "running"],
  ["catching_up", "catching_up"],
  ["stalled", "stalled"],
  ["silent", "silent"],
  ["lost", "lost"],
  ["done", "over"],
  ["completed", "over"],
  ["completed_with_gaps", "over"],
  ["failed", "over"],
  ["interrupted", "over"],
]);
const MARKS = new Set(["started", "resumed", "reopened", "done", "failed", "interrupted", "warning"]);
const APART = 0.012;
const LEAST_S = 0.01;

const WORDS = new Map([
  ["started", "Started"],
  ["resumed", "Started anew"],
  ["reopened", "Went on after its end"],
  ["done", "Done"],
  ["warning", "Warning"],
  ["deleted", "Deleted"],
  ["restored", "Restored"],
]);

/** What a line of the log is called on the page. */
export function eventWords(kind) {
  return WORDS.get(kind) ?? statusWords(kind);
}

/**
 * @param {{time: number, kind: string, detail: object}[]} log Oldest first.
 * @param {{created: number, done: number|null, status: {kind: string, since: number}}} experiment
 * @param {number} now Seconds since the epoch.
 * @returns {{from: number, to: number, segments: {state: string, from: number, to: number}[],
 *   marks: {time: number, kind: string, texts: string[]}[]}}
 */
export function timelineOf(log, experiment, now) {
  const lines = log.filter((line) => STATES.has(line.kind) || MARKS.has(line.kind));
  const from = lines.reduce((least, line) => Math.min(least, line.time), experiment.created);
  const isOver = ENDED.has(experiment.status.kind);
  const end = isOver ? (experiment.done ?? from) : now;
  const to = lines.reduce((most, line) => Math.max(most, line.time), Math.max(end, from + LEAST_S));
  const segments = [];
  let state = "running";
  let since = from;
  for (const line of lines) {
    const next = STATES.get(line.kind);
    if (next === undefined || next === state) continue;
    if (line.time > since) segments.push({ state, from: since, to: line.time });
    state = next;
    since = line.time;
  }
  const { kind, since: judged } = experiment.status;
  if (!isOver && kind !== state) {
    if (judged > since && judged < to) {
      segments.push({ state, from: since, to: judged });
      since = judged;
    }
    state = kind;
  }
  if (to > since) segments.push({ state, from: since, to });
  return { from, to, segments, marks: marksOf(lines, from, to) };
}

function marksOf(lines, from, to) {
  const marks = [];
  for (const line of lines) {
    if (!MARKS.has(line.kind)) continue;
    const text = `${eventWords(line.kind)} ${formatTime(line.time)}`;
    const last = marks.at(-1);
    if (last && last.kind === line.kind && line.time - last.time < APART * (to - from)) last.texts.push(text);
    else marks.push({ time: line.time, kind: line.kind, texts: [text] });
  }
  return marks;
}

/** @param {{log: object[], experiment: object, now: number}} props */
export function Timeline({ log, experiment, now }) {
  const { from, to, segments, marks } = timelineOf(log, experiment, now);
  const place = (time) => `${(100 * (time - from)) / (to - from)}%`;
  const size = (one) => `${(100 * (one.to - one.from)) / (to - from)}%`;
  return html`<div class="timeline">
    <div class="timeline-bar" role="list" aria-label="States of the run">
      ${segments.map(
        (one) =>
          html`<div
            key=${`${one.state} ${one.from}`}
            role="listitem"
            tabindex="0"
            class=${`timeline-segment ${one.state}`}
            style=${{ left: place(one.from), width: size(one) }}
          >
            <span class="unseen">${segmentText(one)}</span>
            <${Tip} text=${segmentText(one)} at=${(one.from + one.to) / 2} from=${from} to=${to} />
          </div>`,
      )}
    </div>
    <ul class="timeline-marks" aria-label="Events of the run">
      ${marks.map(
        (one) =>
          html`<li
            key=${`${one.kind} ${one.time}`}
            tabindex="0"
            class=${`timeline-mark ${one.kind}`}
            style=${{ left: place(one.time) }}
          >
            <span class="unseen">${markText(one)}</span>
            <${Tip} text=${markText(one)} at=${one.time} from=${from} to=${to} />
          </li>`,
      )}
    </ul>
    <div class="timeline-ends" aria-hidden="true">
      <span>${formatTime(from)}</span>
      <span>${formatSpan(to - from)}</span>
      <span>${ENDED.has(experiment.status.kind) ? formatTime(to) : "now"}</span>
    </div>
  </div>`;
}

/** Stays within the bar: near an end it opens towards the middle. */
function Tip({ text, at, from, to }) {
  const share = (at - from) / (to - from);
  const side = share < 0.15 ? "starts" : share > 0.85 ? "ends" : "";
  return html`<span class=${`tip ${side}`} aria-hidden="true">${text}</span>`;
}

function segmentText({ state, from, to }) {
  const name = state === "over" ? "Not running" : statusWords(state);
  return `${name} for ${formatSpan(to - from)}, from ${formatTime(from)}`;
}

function markText({ kind, time, texts }) {
  return texts.length === 1 ? texts[0] : `${texts.length} x ${eventWords(kind)}, the first at ${formatTime(time)}`;
}
