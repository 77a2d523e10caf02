// Two areas above one another with a bar between them that can be dragged, or moved by the arrow keys.

import { html, useRef } from "../lib.js";
import { remembered } from "../data/memory.js";

const LEAST = 0.12;
const STEP = 0.05;

/** @param {{name: string, top: *, bottom: *, initial?: number}} props `name`: under which the place of the bar is remembered. */
export function Split({ name, top, bottom, initial = 0.45 }) {
  const share = remembered(`split.${name}`, initial);
  const box = useRef(null);
  const set = (value) => {
    share.value = Math.min(1 - LEAST, Math.max(LEAST, value));
  };
  const onPointerDown = (event) => {
    event.preventDefault();
    const bar = event.currentTarget;
    bar.setPointerCapture(event.pointerId);
    const area = box.current.getBoundingClientRect();
    const onMove = (moved) => set((moved.clientY - area.top) / area.height);
    bar.addEventListener("pointermove", onMove);
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", onMove), { once: true });
  };
  const onKeyDown = (event) => {
    const by = { ArrowUp: -STEP, ArrowDown: STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    set(share.value + by);
  };
  return html`<div class="split" ref=${box}>
    <div class="split-part" style=${{ flexBasis: `${share.value * 100}%` }}>${top}</div>
    <div
      class="split-bar"
      role="separator"
      tabindex="0"
      aria-orientation="horizontal"
      aria-label="Size of the table"
      aria-valuenow=${Math.round(share.value * 100)}
      aria-valuemin=${LEAST * 100}
      aria-valuemax=${100 - LEAST * 100}
      onPointerDown=${onPointerDown}
      onKeyDown=${onKeyDown}
    ></div>
    <div class="split-part rest">${bottom}</div>
  </div>`;
}
