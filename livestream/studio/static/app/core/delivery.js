// Delivery truth in words: how much of what a training emitted is here, what still waits on its node, what never comes.
//
// The Studio tells facts (`DeliveryView`): the backlog of the nodes as they last told it, the age of its oldest event,
// gaps in the numbers of the events that came, and events that a node had to give up, by reason. A cell says the worst
// of them in a few words, in this order: nothing is heard, rows wait, something is missing, something was refused, all
// is well. Clients that tell nothing of a queue (DVCLive, DVC) are never called live or behind: it is not known.
//
// How long a replay takes is estimated from samples of the backlog: since its highest point of the last two minutes it
// fell by so many rows a second, net of the new ones that came meanwhile, and what is left goes at the same speed.

import { formatAgo, formatSize, formatSpan, plural } from "./format.js";
import { ENDED } from "./statuses.js";

/**
 * @typedef {object} Delivery As the API tells it.
 * @property {number} behind_s Age of the oldest event that waits.
 * @property {number} backlog_rows
 * @property {number} backlog_bytes
 * @property {number} missing_events In all gaps, of which `gaps` lists the first.
 * @property {{writer: string, first: number, last: number}[]} gaps
 * @property {Object<string, number>} losses Events by reason.
 * @property {number} writers Processes that tell of their queue.
 * @property {number} beating
 * @property {number} heard Seconds since the epoch.
 *
 * @typedef {{time: number, rows: number}} Sample The backlog at a time, seconds since the epoch.
 * @typedef {"good"|"busy"|"warn"|"bad"|"calm"} Tone
 * @typedef {{text: string, tone: Tone}} Words
 */

const LIVE_BELOW_S = 5;
const WINDOW_S = 120;
const LEAST_SPAN_S = 3;
const LONGEST_ESTIMATE_S = 7 * 86_400;

/** Reasons of livestream's nodes: in a few words, and as a sentence with what to do. */
const REASONS = new Map([
  ["quota", ["no room", "the node's spool was full: let it drain, or raise its quota"]],
  ["disk", ["disk full", "the node's disk took nothing while the journal was full"]],
  ["stalled", ["disk stalled", "the node's disk stood still for too long"]],
  ["vanished", ["spool removed", "the spool's folder was removed while the training ran"]],
  ["spool", ["no spool", "the spool could not be used"]],
  ["closed", ["after the end", "emitted after the run had ended"]],
  ["reentrant", ["in a signal's handler", "emitted by a signal's handler that interrupted an emit"]],
  ["too_large", ["too large", "larger than the Studio takes"]],
  ["trimmed", ["without images", "came without their images, for which the node had no room"]],
]);

/**
 * The samples of a backlog with one more; those that are too old, or that a fallen queue made useless, are left out.
 *
 * @param {readonly Sample[]} samples Oldest first.
 * @param {Sample} sample
 * @returns {readonly Sample[]} The same list where the sample says nothing new.
 */
export function withSample(samples, sample) {
  const newest = samples.at(-1);
  if (newest && sample.time <= newest.time) return samples;
  if (sample.rows === 0) return samples.length ? [] : samples;
  return [...samples.filter((one) => sample.time - one.time <= WINDOW_S), sample];
}

/**
 * @param {readonly Sample[]} samples Oldest first.
 * @param {number} now Seconds since the epoch.
 * @returns {number|null} Seconds until nothing waits any more; null: it does not shrink, or not long enough to tell.
 */
export function secondsLeft(samples, now) {
  const newest = samples.at(-1);
  if (!newest || now - newest.time > WINDOW_S) return null;
  const peak = samples.reduce((highest, one) => (one.rows >= highest.rows ? one : highest));
  const span = newest.time - peak.time;
  if (span < LEAST_SPAN_S || newest.rows >= peak.rows) return null;
  const left = (newest.rows * span) / (peak.rows - newest.rows) - (now - newest.time);
  return left <= LONGEST_ESTIMATE_S ? Math.max(left, 0) : null;
}

/** "about 3 min": no more exact than an estimate is. @param {number} seconds */
function aboutSpan(seconds) {
  if (seconds < 10) return "some seconds";
  if (seconds < 60) return `about ${Math.round(seconds / 10) * 10} s`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min`;
  return `about ${formatSpan(seconds)}`;
}

/**
 * What the cell says.
 *
 * @param {{delivery: Delivery, status: {kind: string}}} experiment
 * @param {number} now Seconds since the epoch.
 * @param {readonly Sample[]} [samples]
 * @returns {Words}
 */
export function deliveryWords({ delivery, status }, now, samples = []) {
  if (!isTold(delivery)) return { text: "–", tone: "calm" };
  const isLost = status.kind === "lost";
  if (isLost || status.kind === "silent") {
    return { text: `silent for ${formatSpan(now - delivery.heard)}`, tone: isLost ? "bad" : "warn" };
  }
  return waiting(delivery, status, now, samples) ?? missing(delivery) ?? refused(delivery) ?? fine(status);
}

/** Whether anything is known about queues: stock clients tell nothing. */
function isTold(delivery) {
  return delivery.writers > 0;
}

/**
 * The full truth, for the popover and the page of the experiment.
 *
 * @param {{delivery: Delivery, status: {kind: string}}} experiment
 * @param {number} now
 * @param {readonly Sample[]} [samples]
 * @returns {{facts: [string, string][], losses: {reason: string, count: number, text: string}[],
 *   gaps: {writer: string, text: string, count: number}[], more: number, note: string}}
 */
export function deliveryDetails({ delivery, status }, now, samples = []) {
  const heard = ["Last heard", formatAgo(delivery.heard, now)];
  if (!isTold(delivery)) {
    const note = "Not known: a stock client tells nothing of its queue. What arrived is all here.";
    return { facts: [heard], losses: [], gaps: [], more: 0, note };
  }
  const left = secondsLeft(samples, now);
  const facts = [
    heard,
    ["Waits on the node", backlogText(delivery)],
    ...(delivery.backlog_rows > 0 ? [["The oldest of it", `waits for ${formatSpan(delivery.behind_s)}`]] : []),
    ...(left === null ? [] : [["Done in", aboutSpan(left)]]),
    ["Never came", delivery.missing_events ? plural(delivery.missing_events, "event") : "nothing is missing"],
    ["Writers", writersText(delivery)],
  ];
  const losses = Object.entries(delivery.losses)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => ({ reason, count, text: REASONS.get(reason)?.[1] ?? reason }));
  const gaps = delivery.gaps.map((gap) => ({ writer: gap.writer, text: rangeText(gap), count: sizeOf(gap) }));
  const more = delivery.missing_events - gaps.reduce((sum, gap) => sum + gap.count, 0);
  const note = ENDED.has(status.kind) || delivery.backlog_rows === 0 ? "" : "As the node told it when last heard.";
  return { facts, losses, gaps, more: Math.max(more, 0), note };
}

function waiting(delivery, status, now, samples) {
  const isApplying = status.kind === "catching_up" ? { text: "catching up", tone: "busy" } : null;
  if (delivery.backlog_rows === 0) return isApplying;
  const isBehind = delivery.behind_s >= LIVE_BELOW_S;
  const left = secondsLeft(samples, now);
  if (left !== null && isBehind) return { text: `replaying, ${aboutSpan(left)} left`, tone: "busy" };
  if (ENDED.has(status.kind)) return { text: `${plural(delivery.backlog_rows, "row")} not here`, tone: "warn" };
  return isBehind ? { text: `${formatSpan(delivery.behind_s)} behind`, tone: "warn" } : isApplying;
}

function missing(delivery) {
  const count = delivery.missing_events;
  if (!count) return null;
  const gaps = delivery.gaps.reduce((sum, gap) => sum + sizeOf(gap), 0) < count ? "many gaps" : "";
  return { text: `${gaps || plural(delivery.gaps.length, "gap")} (${plural(count, "event")} missing)`, tone: "bad" };
}

function refused(delivery) {
  const found = Object.entries(delivery.losses).filter(([, count]) => count > 0);
  const lost = found.filter(([reason]) => reason !== "trimmed");
  if (lost.length === 1) {
    const [reason, count] = lost[0];
    return { text: `refused: ${count.toLocaleString("en-US")} ${REASONS.get(reason)?.[0] ?? reason}`, tone: "bad" };
  }
  if (lost.length) return { text: `refused: ${plural(sumOf(lost), "event")}`, tone: "bad" };
  return found.length ? { text: `${plural(sumOf(found), "event")} without images`, tone: "warn" } : null;
}

function fine(status) {
  return ENDED.has(status.kind) ? { text: "complete", tone: "good" } : { text: "live", tone: "good" };
}

function backlogText(delivery) {
  if (delivery.backlog_rows === 0) return "nothing";
  return `${plural(delivery.backlog_rows, "row")}, ${formatSize(delivery.backlog_bytes)}`;
}

function writersText({ writers, beating }) {
  const processes = writers === 1 ? "1 process" : `${writers.toLocaleString("en-US")} processes`;
  return `${processes}, ${beating >= writers ? "with a heartbeat" : `${beating || "none"} with a heartbeat`}`;
}

function rangeText(gap) {
  const first = gap.first.toLocaleString("en-US");
  return gap.first === gap.last ? `event ${first}` : `events ${first} to ${gap.last.toLocaleString("en-US")}`;
}

function sizeOf(gap) {
  return gap.last - gap.first + 1;
}

/** Of pairs of a reason and a count. */
function sumOf(losses) {
  return losses.reduce((sum, [, count]) => sum + count, 0);
}
