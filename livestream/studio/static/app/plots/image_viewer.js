// One film over the whole screen: the runs side by side, zoomed and moved together, so that the same place is compared.

import { isShown, placeAt } from "../core/image_steps.js";
import { formatSize } from "../core/format.js";
import { plain } from "../core/plot_values.js";
import { address } from "../data/api.js";
import { view } from "../data/view.js";
import { html, useLayoutEffect, useRef, useState } from "../lib.js";
import { Button, Dialog } from "../parts/index.js";
import { saveAddress } from "../parts/save.js";
import { inkOf } from "./look.js";
import { StepBar, onStepKey } from "./step_bar.js";
import { useWidth } from "./width.js";

const MAX_ZOOM = 64;
const ZOOM_STEP = 1.5;
const WHEEL_STEP = 1.0016;
const SHARP = 2;
const NO_IMAGE = "Not shown: no PNG, JPEG, GIF or WebP";
const WHOLE = { scale: 1, x: 0, y: 0 };

/**
 * @param {{title: string, runs: object[], film: Map<number, object[]>, steps: number[], onClose: () => void}} props
 */
export function ImageViewer({ title, runs, film, steps, onClose }) {
  const [zoom, setZoom] = useState(WHOLE);
  const stage = useRef(null);
  const { step } = view.value;
  const by = (factor) => setZoom((held) => zoomed(held, factor, 0, 0));
  const onKey = (event) => {
    if (event.key === "+" || event.key === "=") by(ZOOM_STEP);
    else if (event.key === "-") by(1 / ZOOM_STEP);
    else if (event.key === "0") setZoom(WHOLE);
    else onStepKey(event, steps);
  };
  const isLoaded = () => [...stage.current.querySelectorAll("img")].every((image) => image.complete);
  const tool = (label, name, disabled, onClick) =>
    html`<${Button} label=${label} title=${name} kind="plain" disabled=${disabled} onClick=${onClick} />`;
  return html`<${Dialog} title=${plain(title, 160)} wide=${true} className="media-full" onClose=${onClose}>
    <div class="viewer" onKeyDown=${onKey}>
      <div class="viewer-tools">
        <${StepBar} steps=${steps} isLoaded=${isLoaded} />
        <span class="viewer-zoom">
          ${tool("−", "Zoom out", zoom.scale <= 1, () => by(1 / ZOOM_STEP))}
          <output>${Math.round(zoom.scale * 100)} %</output>
          ${tool("+", "Zoom in", zoom.scale >= MAX_ZOOM, () => by(ZOOM_STEP))}
          ${tool("Fit", "Show all of it", zoom === WHOLE, () => setZoom(WHOLE))}
        </span>
      </div>
      <div class="viewer-stage" ref=${stage} data-runs=${Math.min(6, runs.length)}>
        ${runs.map(
          (run) => html`<${Part} key=${run.id} frames=${film.get(run.id)} ...${{ run, step, zoom, setZoom, title }} />`,
        )}
      </div>
    </div>
  <//>`;
}

function Part({ run, frames, step, zoom, setZoom, title }) {
  const frame = frames[placeAt(frames, step)];
  const drag = useRef(null);
  const box = useRef(null);
  const [size, setSize] = useState(null);
  const onWheel = (event) => {
    event.preventDefault();
    const bounds = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left - bounds.width / 2, event.clientY - bounds.top - bounds.height / 2];
    setZoom((held) => zoomed(held, WHEEL_STEP ** -event.deltaY, x, y));
  };
  const onDown = (event) => {
    drag.current = { x: event.clientX, y: event.clientY };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onMove = (event) => {
    if (drag.current === null) return;
    const [dx, dy] = [event.clientX - drag.current.x, event.clientY - drag.current.y];
    drag.current = { x: event.clientX, y: event.clientY };
    setZoom((held) => (held.scale === 1 ? held : { ...held, x: held.x + dx, y: held.y + dy }));
  };
  const onUp = () => (drag.current = null);
  const onDouble = () => setZoom((held) => (held.scale > 1 ? WHOLE : { scale: 4, x: 0, y: 0 }));
  const onLoad = ({ currentTarget: { naturalWidth, naturalHeight } }) => setSize({ naturalWidth, naturalHeight });
  const width = useWidth(box);
  useLayoutEffect(() => {
    const image = box.current.querySelector("img");
    if (image) image.dataset.pixels = String(enlargedBy(image) * zoom.scale >= SHARP);
  }, [zoom, size, width]);
  const source = frame && String(address(`api/images/${frame.image.id}`));
  const shown = frame !== undefined && isShown(frame.image);
  return html`<figure class="viewer-part">
    <div
      class="viewer-box"
      ref=${box}
      data-zoomed=${zoom.scale > 1}
      onWheel=${onWheel}
      onPointerDown=${onDown}
      onPointerMove=${onMove}
      onPointerUp=${onUp}
      onPointerCancel=${onUp}
      onDblClick=${onDouble}
    >
      ${shown &&
      html`<img
        src=${source}
        alt=${`${plain(title, 100)} of ${plain(run.name, 80)}, step ${frame.step}`}
        draggable=${false}
        style=${{ transform: `translate(${zoom.x}px, ${zoom.y}px) scale(${zoom.scale})` }}
        onLoad=${onLoad}
      />`}
      ${!shown && html`<span class="film-none">${frame ? NO_IMAGE : `No image up to step ${step}`}</span>`}
    </div>
    <${Caption} ...${{ run, frame, title }} size=${shown ? size : null} source=${source} />
  </figure>`;
}

function Caption({ run, frame, title, size, source }) {
  const ending = frame?.image.media_type.split("/")[1].replace("octet-stream", "bin");
  const save = () => saveAddress(source, `${title}-${run.name}-${frame.step}.${ending}`);
  const name = plain(run.name, 80);
  return html`<figcaption>
    <i class="run-swatch" style=${{ background: inkOf(run.id) }}></i>
    <span class="film-run" title=${plain(run.name, 300)}>${name}</span>
    <span class="film-step">${frame ? `step ${frame.step.toLocaleString("en-US")}` : "–"}</span>
    ${frame &&
    html`<small>${size ? `${size.naturalWidth} × ${size.naturalHeight}, ` : ""}${formatSize(frame.image.size)}</small>
      <${Button} icon="download" title=${`Download the image of ${name}`} kind="plain" onClick=${save} />`}
  </figcaption>`;
}

/** Pixels of the screen that a pixel of the image has, unzoomed; 0 until that is known. */
function enlargedBy({ clientWidth, clientHeight, naturalWidth, naturalHeight }) {
  return naturalWidth > 0 ? Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight) : 0;
}

/** Zoomed about a place that is (x, y) away from the middle of the box; that place stays where it is. */
export function zoomed({ scale, x: left, y: top }, factor, x, y) {
  const next = Math.max(1, Math.min(MAX_ZOOM, scale * factor));
  if (next === 1) return WHOLE;
  const by = next / scale;
  return { scale: next, x: x - (x - left) * by, y: y - (y - top) * by };
}
