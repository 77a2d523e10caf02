// The Studio's time for what tells spans ("silent for 5 min"): whatever reads it is drawn anew every few seconds.

import { now } from "../data/experiments.js";
import { signal } from "../lib.js";

const TICK_MS = 5_000;

const time = signal(0);
let timer = 0;

/** @returns {number} Seconds since the epoch, by the server's clock. */
export function clock() {
  timer ||= setInterval(() => {
    if (!document.hidden) time.value = now();
  }, TICK_MS);
  return Math.max(time.value, now());
}
