// The step of all images: a slider over the steps that there are, back and forth, and playing.

import { placeAt } from "../core/image_steps.js";
import { changeView, view } from "../data/view.js";
import { html, useEffect, useRef, useState } from "../lib.js";
import { Button } from "../parts/index.js";

const FRAME_MS = 350;
const PATIENCE_MS = 3_000;
const PLAY = { icon: "play", title: "Play" };
const PAUSE = { icon: "pause", title: "Pause" };

/** Show a step by its place in `steps`; at the end, follow the newest again. */
function showPlace(steps, place) {
  const bounded = Math.max(0, Math.min(steps.length - 1, place));
  changeView({ step: bounded === steps.length - 1 ? null : steps[bounded] });
}

/** @param {number[]} steps @returns {number} The place of the view's step. */
function placeOf(steps) {
  const { step } = view.value;
  return Math.max(0, placeAt(steps.map((one) => ({ step: one })), step));
}

/** Arrows, Home and End of whatever has the steps. */
export function onStepKey(event, steps) {
  if (steps.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, .panel")) return;
  const ways = { ArrowLeft: placeOf(steps) - 1, ArrowRight: placeOf(steps) + 1, Home: 0, End: steps.length - 1 };
  if (!Object.hasOwn(ways, event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  showPlace(steps, ways[event.key]);
}

/** @param {{steps: number[], isLoaded: () => boolean}} props `isLoaded`: whether all images of this step are there. */
export function StepBar({ steps, isLoaded }) {
  const [playing, setPlaying] = useState(false);
  const held = useRef(null);
  const place = placeOf(steps);
  const last = steps.length - 1;
  const isNewest = view.value.step === null;
  held.current = { steps, place, isLoaded };
  useEffect(() => {
    if (!playing) return undefined;
    let waited = 0;
    const timer = setInterval(() => {
      const now = held.current;
      waited += FRAME_MS;
      if (!now.isLoaded() && waited < PATIENCE_MS) return;
      waited = 0;
      showPlace(now.steps, now.place + 1);
      if (now.place + 1 >= now.steps.length - 1) setPlaying(false);
    }, FRAME_MS);
    return () => clearInterval(timer);
  }, [playing]);
  const play = () => {
    if (!playing && place === last) showPlace(steps, 0);
    setPlaying(!playing);
  };
  const go = (to) => {
    setPlaying(false);
    showPlace(steps, to);
  };
  const button = (more) => html`<${Button} kind="plain" ...${more} />`;
  const newest = { label: "Newest", title: "Follow the newest image of each run", pressed: isNewest };
  return html`<div class="step-bar" role="group" aria-label="Step of the images">
    ${button({ icon: "left", title: "Step before", disabled: place === 0, onClick: () => go(place - 1) })}
    ${button({ ...(playing ? PAUSE : PLAY), disabled: last < 1, onClick: play })}
    ${button({ icon: "right", title: "Step after", disabled: place >= last, onClick: () => go(place + 1) })}
    <input
      type="range"
      aria-label="Step"
      aria-valuetext=${`step ${steps[place]}`}
      min="0"
      max=${last}
      value=${place}
      disabled=${last < 1}
      onInput=${(event) => go(Number(event.currentTarget.value))}
    />
    <output>step ${steps[place].toLocaleString("en-US")}</output>
    ${button({ ...newest, onClick: () => go(last) })}
  </div>`;
}
