// What this browser remembers between visits. A browser that keeps nothing (private windows) only forgets.

import { effect, signal } from "../lib.js";

const PREFIX = "livestream.";
const known = new Map();

/**
 * A signal whose value survives a reload; the same signal for the same name. Other tabs' changes arrive too.
 *
 * @template T
 * @param {string} name
 * @param {T} fallback
 */
export function remembered(name, fallback) {
  if (known.has(name)) return known.get(name);
  const found = signal(read(name, fallback));
  known.set(name, found);
  let first = true;
  effect(() => {
    const text = JSON.stringify(found.value);
    if (!first) write(name, text);
    first = false;
  });
  return found;
}

addEventListener("storage", (event) => {
  const name = event.key?.startsWith(PREFIX) ? event.key.slice(PREFIX.length) : null;
  if (name !== null && known.has(name) && event.newValue !== null) {
    known.get(name).value = read(name, known.get(name).peek());
  }
});

function read(name, fallback) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

function write(name, text) {
  try {
    localStorage.setItem(PREFIX + name, text);
  } catch {
    // full, or forbidden
  }
}
