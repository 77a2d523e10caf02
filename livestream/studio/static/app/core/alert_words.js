// What a rule for alerts says, in words: from the JSON of GET /api/alerts to a sentence that ends "when ...".

import { formatNumber } from "./format.js";

const KIND_WORDS = new Map([
  ["running", "runs"],
  ["catching_up", "is catching up"],
  ["stalled", "stalls"],
  ["silent", "falls silent"],
  ["lost", "is lost"],
  ["failed", "fails"],
  ["interrupted", "is interrupted"],
  ["completed", "completes"],
  ["completed_with_gaps", "completes with gaps"],
]);

/** Every status, in the order in which people look for them. */
export const ALERT_KINDS = [
  "failed",
  "lost",
  "stalled",
  "silent",
  "interrupted",
  "completed",
  "completed_with_gaps",
  "running",
  "catching_up",
];

/**
 * @param {{kind: "status"|"nan"|"threshold"|"plateau"}} on As the API has it.
 * @returns {string} For example "a run fails or is lost".
 */
export function alertWords(on) {
  if (on.kind === "status") return `a run ${joined(on.kinds.map((kind) => KIND_WORDS.get(kind) ?? kind))}`;
  if (on.kind === "nan") return on.metric ? `${on.metric} is NaN` : "any metric is NaN";
  if (on.kind === "threshold") return on.condition;
  const steps = `${formatNumber(on.patience_steps)} ${on.patience_steps === 1 ? "step" : "steps"}`;
  const by = on.min_delta ? ` by more than ${formatNumber(on.min_delta)}` : "";
  const way = on.goal === "maximum" ? "rise" : "fall";
  return `${on.metric} did not ${way}${by} for ${steps}`;
}

function joined(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
