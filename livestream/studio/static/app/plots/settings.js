// How all plots are drawn.

import { html } from "../lib.js";
import { partsOf } from "../core/cells.js";
import { keys } from "../data/experiments.js";
import { changeView, view } from "../data/view.js";
import { Slider, Switch } from "../parts/index.js";
import { columns } from "./remembered.js";

const X_CHOICES = [["step", "Step"], ["relative", "Relative time"], ["time", "Wall time"]];
const X_WORDS = X_CHOICES.map(([value]) => value);
const MAX_CHOICES = 500;
const MOST = 0.999;
const COLUMNS = ["Auto", "1", "2", "3", "4"];

/** @param {{names: {name: string}[]}} props The metrics that can be x. */
export function Settings({ names }) {
  const { x, smoothing, logX, logY, outliers, group } = view.value;
  const params = [...keys.value].filter((key) => key.startsWith("params")).sort().slice(0, MAX_CHOICES);
  const metrics = names.slice(0, MAX_CHOICES).map((series) => series.name);
  return html`<div class="plots-settings" role="group" aria-label="How plots are drawn">
    <${Slider}
      label="Smoothing"
      min=${0}
      max=${1}
      step=${0.01}
      value=${position(smoothing)}
      shown=${smoothing.toFixed(smoothing > 0.99 ? 3 : 2)}
      onInput=${(place) => changeView({ smoothing: weight(place) })}
    />
    <${Choice} label="X" value=${x} onChange=${(next) => changeView({ x: next, zoom: {} }, { step: true })}>
      ${X_CHOICES.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}
      <optgroup label="Another metric">
        ${options(metrics, x, X_WORDS).map((name) => html`<option key=${`m${name}`} value=${name}>${name}</option>`)}
      </optgroup>
    <//>
    <${Choice} label="Group by" value=${group} onChange=${(next) => changeView({ group: next }, { step: true })}>
      <option value="">Each run alone</option>
      ${options(params, group, [""]).map((key) => html`<option key=${key} value=${key}>${wordOf(key)}</option>`)}
    <//>
    <${Switch} label="Log x" checked=${logX} onChange=${(next) => changeView({ logX: next }, { step: true })} />
    <${Switch} label="Log y" checked=${logY} onChange=${(next) => changeView({ logY: next }, { step: true })} />
    <${Switch}
      label="Ignore outliers"
      title="The scale shows the middle nine tenths of the values"
      checked=${!outliers}
      onChange=${(next) => changeView({ outliers: !next }, { step: true })}
    />
    <${Choice} label="Columns" value=${String(columns.value)} onChange=${(next) => (columns.value = Number(next))}>
      ${COLUMNS.map((text, index) => html`<option key=${text} value=${String(index)}>${text}</option>`)}
    <//>
  </div>`;
}

function Choice({ label, value, onChange, children }) {
  return html`<label class="plots-choice">
    <span>${label}</span>
    <select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>${children}</select>
  </label>`;
}

/** What is chosen stays among the choices, also where it is not there now. */
function options(found, chosen, fixed) {
  return found.includes(chosen) || fixed.includes(chosen) ? found : [chosen, ...found];
}

function wordOf(key) {
  return partsOf(key)?.names.join(".") ?? key;
}

/** Most of the slider is for strong smoothing, where small differences are seen: its place is the square. */
function position(smoothing) {
  return Math.round((smoothing / MOST) ** 2 * 100) / 100;
}

function weight(place) {
  return Math.round(Math.sqrt(place) * MOST * 1000) / 1000;
}
