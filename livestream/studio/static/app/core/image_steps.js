// Images as a film: which belong together, and what each run shows at a step.
//
// Theory. DVCLive writes an image a step as "plots/images/NAME/{step}.png", or one name again and again. Both are a
// film: a name, and frames by step; of several at one step the last that came counts. At a step a run shows its newest
// frame at or before it, as at that moment nothing newer was known; without a step, its newest.

const NUMBERED = /^(.+)\/(\d{1,15})\.[A-Za-z]{1,8}$/;
const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/**
 * @typedef {object} Frame
 * @property {number} step
 * @property {{id: number, path: string, step: number, media_type: string, size: number}} image
 */

/** @returns {{film: string, step: number|null}} `step` of a numbered file; else null. */
export function filmOf(path) {
  const found = NUMBERED.exec(path);
  return found ? { film: found[1], step: Number(found[2]) } : { film: path, step: null };
}

/**
 * @param {Map<number, object[]>} images Of each experiment, as the API lists them.
 * @returns {Map<string, Map<number, Frame[]>>} Frames by rising step, by experiment, by film; films by name.
 */
export function filmsOf(images) {
  const films = new Map();
  for (const [experiment, list] of images) {
    for (const image of list) {
      const { film, step } = filmOf(image.path);
      if (!films.has(film)) films.set(film, new Map());
      const runs = films.get(film);
      if (!runs.has(experiment)) runs.set(experiment, new Map());
      const at = step ?? image.step;
      runs.get(experiment).set(at, { step: at, image });
    }
  }
  for (const runs of films.values()) {
    for (const [experiment, frames] of runs) {
      runs.set(experiment, [...frames.values()].sort((one, other) => one.step - other.step));
    }
  }
  return new Map([...films].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** @param {Frame[]} frames @param {number|null} step Null: the newest. @returns {number} Its place; -1: none yet. */
export function placeAt(frames, step) {
  if (step === null) return frames.length - 1;
  let low = 0;
  let high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle].step <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** @returns {number[]} Every step at which any run of any film has a frame, rising. */
export function stepsOf(films) {
  const steps = new Set();
  for (const runs of films.values()) {
    for (const frames of runs.values()) {
      for (const frame of frames) steps.add(frame.step);
    }
  }
  return [...steps].sort((one, other) => one - other);
}

/** Whether a browser is to show it; whatever else clients send is only a download. */
export function isShown(image) {
  return SHOWN.has(image.media_type);
}

/** The words of a path that tell: "dvclive/plots/images/samples/grid" is "samples/grid". */
export function filmName(film) {
  const found = /(?:^|\/)plots\/images\/(.+)$/.exec(film);
  return found ? found[1] : film;
}

/** Listed images with newer ones put in the places of those with the same id. */
export function merged(images, newer) {
  const byId = new Map(images.map((image) => [image.id, image]));
  for (const image of newer) byId.set(image.id, image);
  return [...byId.values()];
}
