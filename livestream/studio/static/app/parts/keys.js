// Keys that work without a modifier anywhere on a page but where text is typed.

import { useEffect, useRef } from "../lib.js";

const TYPED = "input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]";

/** What these keys press is what has the focus; the table's own focus is a place in it, not a widget. */
const PRESSES = new Set(["Enter", " "]);
const WIDGET = "button, a, summary, [tabindex]";

/** Sections of what the help dialog lists: [title, [[keys, what they do]]]. */
export const shortcuts = new Map();

/** Say once, where keys are handled, what they are for. @param {[string, string][]} list */
export function declareKeys(section, list) {
  shortcuts.set(section, list);
}

/**
 * Handle keys while the component is there.
 *
 * @param {Object<string, (event: KeyboardEvent) => void>} handlers By `event.key`.
 * @param {{when?: boolean}} options
 */
export function useKeys(handlers, { when = true } = {}) {
  const held = useRef(handlers);
  held.current = handlers;
  useEffect(() => {
    if (!when) return undefined;
    const onKey = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.(TYPED) || document.querySelector("dialog[open]")) return;
      if (PRESSES.has(event.key) && event.target.closest?.(WIDGET) && !event.target.closest("[role=grid]")) return;
      if (!Object.hasOwn(held.current, event.key)) return;
      event.preventDefault();
      held.current[event.key](event);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [when]);
}
