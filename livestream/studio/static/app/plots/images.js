// Images of the selected runs: a card for each film, the runs side by side in it, one step for all of them.

import { filmName, filmsOf, isShown, placeAt, stepsOf } from "../core/image_steps.js";
import { formatSize } from "../core/format.js";
import { plain } from "../core/plot_values.js";
import { address } from "../data/api.js";
import { filesOf, imagesOf, useHeld } from "../data/files.js";
import { view } from "../data/view.js";
import { html, useEffect, useMemo, useRef } from "../lib.js";
import { Button, Icon } from "../parts/index.js";
import { ImageViewer } from "./image_viewer.js";
import { inkOf } from "./look.js";
import { matcher } from "./model.js";
import { useNear } from "./near.js";
import { close, open, openedOf } from "./opened.js";
import { SectionHead, sectionId, useListed } from "./section.js";
import { shownRuns } from "./shown_runs.js";
import { StepBar, onStepKey } from "./step_bar.js";

const MAX_RUNS = 12;
const MAX_SPAN = 6;
const IDLE_MS = 120;
const ENLARGED = 2;
const KEY = "*images";

/** @param {{experiments: (number|object)[]}} props Ids or rows of the runs; the first that have images are shown. */
export function ImagesSection({ experiments }) {
  const { files, runs, films, all } = useFilms(shownRuns(experiments));
  const { search, step, folded } = view.value;
  const section = useRef(null);
  const matches = matcher(search);
  const names = namesOf(files, films).filter((name) => matches(filmName(name)));
  const steps = useMemo(() => stepsOf(films), [films]);
  useListed(KEY, "Images", names.length);
  if (names.length === 0) return null;
  const isFolded = folded.includes(KEY);
  const isLoaded = () => [...section.current.querySelectorAll("img")].every((image) => image.complete);
  const openedName = openedOf("image");
  const full = openedName === null ? undefined : films.get(openedName);
  const onKey = (event) => onStepKey(event, steps);
  const card = (name) => {
    const having = runsOf(name, runs, films, files);
    return html`<${FilmCard} key=${name} runs=${having} film=${films.get(name)} ...${{ name, step }} />`;
  };
  return html`<section class="media-section" id=${sectionId(KEY)} aria-label="Images" ref=${section} onKeyDown=${onKey}>
    <div class="media-head">
      <${SectionHead} sectionKey=${KEY} title="Images" count=${names.length}>
        ${steps.length > 0 && !isFolded && html`<${StepBar} steps=${steps} isLoaded=${isLoaded} />`}
      <//>
    </div>
    ${!isFolded &&
    html`${all > runs.length && html`<p class="media-part">Of the first ${runs.length} runs; ${all} have images.</p>`}
      <div class="film-grid">${names.map(card)}</div>`}
    ${full &&
    html`<${ImageViewer}
      title=${filmName(openedName)}
      runs=${runs.filter((run) => full.has(run.id))}
      film=${full}
      steps=${stepsOf(new Map([["", full]]))}
      onClose=${close}
    />`}
  </section>`;
}

/** What images the runs have, kept up while the component is there. */
function useFilms(wanted) {
  const ids = wanted.map((run) => run.id).join(" ");
  const { content } = useHeld(useMemo(() => filesOf(wanted.map((run) => run.id)), [ids]));
  const files = useMemo(() => (content ?? []).filter((file) => file.kind === "image"), [content]);
  const having = useMemo(() => new Set(files.map((file) => file.experiment)), [files]);
  const runs = wanted.filter((run) => having.has(run.id)).slice(0, MAX_RUNS);
  const asked = runs.map((run) => run.id).join(" ");
  const held = useMemo(() => runs.map((run) => imagesOf(run.id)), [asked]);
  useEffect(() => {
    const ends = held.map((one) => one.use());
    return () => ends.forEach((end) => end());
  }, [held]);
  const answers = held.map((one) => one.answer.value);
  const films = useMemo(
    () => filmsOf(new Map(answers.flatMap(({ content: list }, at) => (list === null ? [] : [[runs[at].id, list]])))),
    [asked, ...answers],
  );
  return { files, runs, films, all: having.size };
}

/** Films that are listed, and before that those that are known to be there. */
function namesOf(files, films) {
  return films.size > 0 ? [...films.keys()] : [...new Set(files.map((file) => file.path))].sort();
}

function runsOf(name, runs, films, files) {
  const film = films.get(name);
  if (film) return runs.filter((run) => film.has(run.id));
  const having = new Set(files.filter((file) => file.path === name).map((file) => file.experiment));
  return runs.filter((run) => having.has(run.id));
}

function FilmCard({ name, runs, film, step }) {
  const card = useRef(null);
  const near = useNear(card);
  usePreloaded(near ? film : undefined, step);
  const enlarge = () => open("image", name);
  const shown = filmName(name);
  const span = Math.min(MAX_SPAN, runs.length);
  return html`<article class="film-card" ref=${card} data-span=${span} aria-label=${plain(shown, 200)}>
    <header>
      <h4 title=${plain(name, 400)}>${plain(shown, 120)}</h4>
      <span class="media-tools">
        <${Button} icon="expand" title="Full screen" kind="plain" disabled=${!film} onClick=${enlarge} />
      </span>
    </header>
    <div class="film-runs">
      ${runs.map(
        (run) =>
          html`<${Tile} key=${run.id} name=${shown} frames=${film?.get(run.id)} ...${{ run, step, near, enlarge }} />`,
      )}
    </div>
  </article>`;
}

/** The frames before and after, fetched once the step stays for a moment: the next click shows them at once. */
function usePreloaded(film, step) {
  useEffect(() => {
    if (!film) return undefined;
    const timer = setTimeout(() => {
      for (const frames of film.values()) {
        const place = placeAt(frames, step);
        for (const frame of [frames[place - 1], frames[place + 1]]) {
          if (frame && isShown(frame.image)) new Image().src = String(address(`api/images/${frame.image.id}`));
        }
      }
    }, IDLE_MS);
    return () => clearTimeout(timer);
  }, [film, step]);
}

function Tile({ run, frames, step, near, name, enlarge }) {
  const frame = frames?.[placeAt(frames, step)];
  return html`<figure class="film-tile">
    <div class="film-box">
      ${near && frames !== undefined && html`<${Framed} ...${{ frame, run, step, name, enlarge }} />`}
    </div>
    <figcaption>
      <i class="run-swatch" style=${{ background: inkOf(run.id) }}></i>
      <span class="film-run" title=${plain(run.name, 300)}>${plain(run.name, 80)}</span>
      <span class="film-step">${frame ? `step ${frame.step.toLocaleString("en-US")}` : "–"}</span>
    </figcaption>
  </figure>`;
}

function Framed({ frame, run, step, name, enlarge }) {
  if (!frame) return html`<span class="film-none">No image up to step ${step.toLocaleString("en-US")}</span>`;
  const { image } = frame;
  const source = String(address(`api/images/${image.id}`));
  if (!isShown(image)) {
    return html`<a class="film-none" href=${source} download>
      <${Icon} name="download" /><span>Download, ${formatSize(image.size)}</span>
      <small>not shown: no PNG, JPEG, GIF or WebP</small>
    </a>`;
  }
  const words = `${plain(name, 100)} of ${plain(run.name, 80)}, step ${frame.step}`;
  return html`<button type="button" class="film-open" aria-label=${`Enlarge ${words}`} onClick=${enlarge}>
    <img src=${source} alt=${words} decoding="async" draggable=${false} onLoad=${sharpen} />
  </button>`;
}

/** A small image that is enlarged shows its pixels, not a blur. */
function sharpen({ currentTarget: image }) {
  const enlarged = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
  image.dataset.pixels = String(enlarged >= ENLARGED);
}
