// What opens at a place of the page and floats above it. It is in the browser's top layer: nothing around it clips it or
// moves it, and a dialog does not cover it.

import { html, useEffect, useLayoutEffect, useRef } from "../lib.js";

const GAP_PX = 6;
const FOCUSABLE = "button:not(:disabled), a[href], input:not(:disabled), select, [tabindex='0']";
const OWN_ARROWS = "select, input[type=range], input[list]";

/**
 * A panel that is open for as long as it is drawn. Escape, a press elsewhere and a focus that goes elsewhere end it; the
 * arrows go through what is in it, and no key typed in it reaches the page.
 *
 * @param {{anchor: Element, label: string, align?: "left"|"right", className?: string, focus?: string,
 *   onClose: (giveBack: boolean) => void, children: *}} props `focus`: selector of what has the focus first;
 *   `giveBack`: the focus is to return to where it was.
 */
export function Panel({ anchor, label, align = "left", className = "", focus = FOCUSABLE, onClose, children }) {
  const panel = useRef(null);
  const close = useRef(onClose);
  close.current = onClose;
  useLayoutEffect(() => panel.current.showPopover(), []);
  useLayoutEffect(() => place(panel.current, anchor, align));
  useEffect(() => {
    const element = panel.current;
    element.querySelector(focus)?.focus({ preventScroll: true });
    const isOfButton = (target) => anchor.matches("[aria-haspopup]") && anchor.contains(target); // it toggles by itself
    const leave = ({ target }) => element.contains(target) || isOfButton(target) || close.current(false);
    const follow = () => place(element, anchor, align);
    addEventListener("pointerdown", leave, true);
    addEventListener("focusin", leave);
    addEventListener("resize", follow);
    return () => {
      removeEventListener("pointerdown", leave, true);
      removeEventListener("focusin", leave);
      removeEventListener("resize", follow);
    };
  }, [anchor]);
  const onKeyDown = (event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      event.preventDefault();
      onClose(true);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      walk(panel.current, event);
    }
  };
  const name = `panel ${className}`;
  return html`<div class=${name} popover="manual" ref=${panel} role="group" aria-label=${label} onKeyDown=${onKeyDown}>
    ${children}
  </div>`;
}

/** Put a panel below what it belongs to, within the window; where that is gone, it stays. */
export function place(panel, anchor, align) {
  if (!anchor.isConnected) return;
  const from = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const left = align === "right" ? from.right - width : from.left;
  const below = from.bottom + GAP_PX;
  const top = below + height > innerHeight && from.top > height + GAP_PX ? from.top - GAP_PX - height : below;
  panel.style.left = `${Math.max(GAP_PX, Math.min(left, innerWidth - width - GAP_PX))}px`;
  panel.style.top = `${Math.max(GAP_PX, top)}px`;
  panel.style.maxHeight = `${innerHeight - Math.max(GAP_PX, top) - GAP_PX}px`;
}

function walk(panel, event) {
  if (document.activeElement?.matches(OWN_ARROWS)) return;
  const all = [...panel.querySelectorAll(FOCUSABLE)];
  const by = event.key === "ArrowDown" ? 1 : -1;
  event.preventDefault();
  all[(all.indexOf(document.activeElement) + by + all.length) % all.length]?.focus();
}
