// The small pieces that every area uses.

import { statusWords } from "../core/statuses.js";
import { html, useEffect, useRef, useState } from "../lib.js";
import { pathOf } from "./icons.js";

/** @param {{name: string, size?: number}} props `name` of icons.js; a picture beside words, without any of its own. */
export function Icon({ name, size = 16 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" aria-hidden="true">
    <path d=${pathOf(name)} />
  </svg>`;
}

/**
 * @param {{onClick: Function, icon?: string, label?: string, title?: string, pressed?: boolean, kind?: ""|"primary"|"danger"|"plain",
 *   disabled?: boolean}} props Without a label the title is the accessible name.
 */
export function Button({ onClick, icon, label, title, pressed, kind = "", disabled = false, ...more }) {
  return html`<button
    type="button"
    class=${`button small ${kind} ${label ? "" : "square"}`}
    title=${title}
    aria-label=${label ? undefined : title}
    aria-pressed=${pressed === undefined ? undefined : String(pressed)}
    disabled=${disabled}
    onClick=${onClick}
    ...${more}
  >
    ${icon && html`<${Icon} name=${icon} />`}${label && html`<span>${label}</span>`}
  </button>`;
}

/** @param {{status: {kind: string, reason: string}}} props */
export function Chip({ status }) {
  return html`<span class=${`status ${status.kind}`} title=${status.reason}>${statusWords(status.kind)}</span>`;
}

/** @param {{value: string, onInput: Function, label: string, placeholder?: string, inputRef?: object}} props */
export function Search({ value, onInput, label, placeholder = "Search", inputRef, ...more }) {
  return html`<label class="search">
    <span class="unseen">${label}</span><${Icon} name="search" />
    <input
      type="search"
      ref=${inputRef}
      value=${value}
      placeholder=${placeholder}
      spellcheck=${false}
      autocomplete="off"
      onInput=${(event) => onInput(event.currentTarget.value)}
      ...${more}
    />
  </label>`;
}

/** @param {{checked: boolean, onChange: (checked: boolean) => void, label: string, title?: string}} props */
export function Switch({ checked, onChange, label, title }) {
  return html`<label class="switch" title=${title}>
    <input type="checkbox" role="switch" checked=${checked} onChange=${(event) => onChange(event.currentTarget.checked)} />
    <span class="track" aria-hidden="true"></span><span>${label}</span>
  </label>`;
}

/**
 * @param {{label: string, min: number, max: number, step: number, value: number, onInput: Function,
 *   shown?: string}} props `shown`: the value in words.
 */
export function Slider({ label, min, max, step, value, onInput, shown }) {
  return html`<label class="slider">
    <span>${label}</span>
    <input
      type="range"
      min=${min}
      max=${max}
      step=${step}
      value=${value}
      aria-valuetext=${shown}
      onInput=${(event) => onInput(Number(event.currentTarget.value))}
    />
    ${shown !== undefined && html`<output>${shown}</output>`}
  </label>`;
}

/** What stands where there is nothing, and why. @param {{title: string, children: *}} props */
export function Empty({ title, children }) {
  return html`<section class="empty-state"><h2>${title}</h2>${children}</section>`;
}

/** @param {{label?: string}} props */
export function Spinner({ label = "Loading" }) {
  return html`<span class="spinner" role="status" aria-label=${label}></span>`;
}

/** A command or text to take along, with a button that copies it. */
export function Code({ text, label = "Copy" }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    setCopied(await copyText(text));
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), 1500);
  };
  return html`<div class="code-block">
    <pre tabindex="0"><code>${text}</code></pre>
    <${Button} icon=${copied ? "check" : "copy"} title=${copied ? "Copied" : label} kind="plain" onClick=${copy} />
  </div>`;
}

/** Plain HTTP from another machine has no clipboard API; a selection does it there. @returns {Promise<boolean>} */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
