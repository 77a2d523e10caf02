// A value that glows for a moment when it becomes another one.

import { html, useRef } from "../lib.js";

/**
 * @param {{value: *, class?: string, children: *}} props `value`: what is compared; the rest are attributes.
 */
export function Live({ value, class: name = "", children, ...more }) {
  const seen = useRef({ value, count: 0 });
  if (!Object.is(seen.current.value, value)) seen.current = { value, count: seen.current.count + 1 };
  const { count } = seen.current;
  const words = `live-value ${name} ${count ? "glow" : ""}`;
  return html`<span key=${count} class=${words} ...${more}>${children}</span>`;
}
