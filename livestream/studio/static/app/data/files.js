// Images and whole plots of experiments: asked for while somebody looks at them, and again when the feed names them.
//
// Everything here is a Held: an answer with users. Without users it is neither kept up nor, after a while, kept. What
// the feed names is asked for once a second at most, however often it changes.

import { filmOf, merged } from "../core/image_steps.js";
import { isFile, tellsAll } from "../core/changes.js";
import { signal, useEffect } from "../lib.js";
import { get, isPassing } from "./api.js";
import { connection, onChange, onReset } from "./feed.js";

const QUIET_MS = 1_000;
const POLLED_MS = 5_000;
const RETRY_MS = 4_000;
const FORGET_MS = 60_000;
const PATHS_AT_ONCE = 50;
const EXPERIMENTS_AT_ONCE = 300;

/** Answers by what they answer. */
const all = new Map();

/** @typedef {{phase: "loading"|"ready"|"failed", content: *, error: string}} Answer */

class Held {
  constructor(key, experiments, path, load) {
    this.key = key;
    this.experiments = experiments;
    this.path = path;
    this.load = load;
    /** @type {import("../lib.js").Signal<Answer>} */
    this.answer = signal({ phase: "loading", content: null, error: "" });
    this.users = 0;
    this.isStale = true;
    this.isAsking = false;
    this.asked = 0;
    this.timer = 0;
    this.forgetting = 0;
    this.paths = new Set();
  }

  use() {
    this.users += 1;
    clearTimeout(this.forgetting);
    if (this.isStale) this.ask();
    return () => {
      this.users -= 1;
      if (this.users > 0) return;
      clearTimeout(this.timer);
      this.timer = 0;
      this.forgetting = setTimeout(() => all.delete(this.key), FORGET_MS);
    };
  }

  /** Something of it is new. @param {number} quietMs The least time between two questions. */
  touch(quietMs = QUIET_MS) {
    this.isStale = true;
    if (this.users === 0 || this.timer !== 0) return;
    this.timer = setTimeout(() => this.ask(), Math.max(0, this.asked + quietMs - Date.now()));
  }

  async ask() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.isAsking) return;
    this.isAsking = true;
    this.isStale = false;
    this.asked = Date.now();
    let pauseMs = QUIET_MS;
    try {
      this.answer.value = { phase: "ready", content: await this.load(this), error: "" };
    } catch (error) {
      const { content } = this.answer.peek();
      this.answer.value = { phase: content === null ? "failed" : "ready", content, error: error.message };
      this.isStale ||= isPassing(error);
      pauseMs = RETRY_MS;
    }
    this.isAsking = false;
    if (this.isStale) this.touch(pauseMs);
  }
}

/** @returns {Answer} Kept up while the component is there; null asks for nothing. */
export function useHeld(held) {
  useEffect(() => held?.use(), [held]);
  return held === null ? NOTHING : held.answer.value;
}

const NOTHING = { phase: "loading", content: null, error: "" };

/** Which images and plots experiments have: `content` is a list of {experiment, path, kind, ...}. */
export function filesOf(experiments) {
  return heldFor(`files ${experiments.join(" ")}`, experiments, null, async () => {
    if (experiments.length === 0) return [];
    const answer = await get("api/files", { experiment: experiments.slice(0, EXPERIMENTS_AT_ONCE) });
    return answer.files;
  });
}

/** Every image of an experiment, without its bytes; later only those that the feed names. */
export function imagesOf(experiment) {
  return heldFor(`images ${experiment}`, [experiment], null, async (held) => {
    const known = held.answer.peek().content;
    const paths = [...held.paths];
    held.paths.clear();
    const address = `api/experiments/${experiment}/images`;
    if (known === null || paths.length === 0 || paths.length > PATHS_AT_ONCE) return (await get(address)).images;
    return merged(known, (await get(address, { path: paths })).images);
  });
}

/** A plot that is kept whole: `content` is {plot, rows}, or null where there is none. */
export function plotOf(experiment, path) {
  return heldFor(`plot ${experiment} ${path}`, [experiment], path, () =>
    get(`api/experiments/${experiment}/plots/content`, { path }),
  );
}

function heldFor(key, experiments, path, load) {
  if (!all.has(key)) all.set(key, new Held(key, experiments, path, load));
  return all.get(key);
}

onChange((change) => {
  if (change.kind !== "data") return;
  if (!tellsAll(change)) {
    for (const held of all.values()) if (held.experiments.includes(change.experiment)) touchAll(held);
    return;
  }
  if (!change.plots) return;
  for (const held of all.values()) if (held.experiments.includes(change.experiment)) tell(held, change);
});

onReset(() => {
  for (const held of all.values()) touchAll(held);
});

/** What changed is not said: read back after a break, or asked for in turns. */
function touchAll(held) {
  held.paths.clear();
  held.touch(connection.peek() === "polling" ? POLLED_MS : QUIET_MS);
}

function tell(held, { experiment, plots }) {
  if (held.key.startsWith("files ")) {
    const files = (held.answer.peek().content ?? []).filter((one) => one.experiment === experiment);
    const known = new Set(files.map((one) => one.path));
    if (plots.some((path) => isFile(path) && !known.has(filmOf(path).film))) held.touch();
  } else if (held.path !== null) {
    if (plots.includes(held.path)) held.touch();
  } else {
    const images = plots.filter((path) => /\.(png|jpe?g|gif|webp|bmp|svg|tiff?)$/i.test(path));
    for (const path of images) held.paths.add(path);
    if (images.length > 0) held.touch();
  }
}
