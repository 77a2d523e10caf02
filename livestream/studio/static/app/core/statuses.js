// What an experiment can be, as the Studio judges it (docs/studio.md): every status, what it is called, what it means.

const WORDS = new Map([
  ["running", "Running"],
  ["catching_up", "Catching up"],
  ["stalled", "Stalled"],
  ["silent", "Silent"],
  ["lost", "Lost"],
  ["failed", "Failed"],
  ["interrupted", "Interrupted"],
  ["completed", "Completed"],
  ["completed_with_gaps", "Completed with gaps"],
]);

/** All of them, those that still go on first. */
export const STATUSES = [...WORDS.keys()];
/** Those that count as live: more may come at any moment. */
export const LIVE = new Set(["running", "catching_up", "stalled", "silent"]);
/** Those of runs that are over. */
export const ENDED = new Set(["failed", "interrupted", "completed", "completed_with_gaps"]);

/** What a status is called on the page. @param {string} kind */
export function statusWords(kind) {
  return WORDS.get(kind) ?? kind;
}
