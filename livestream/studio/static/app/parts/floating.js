// What floats above the page: menus, dialogs, toasts.

import { html, signal, useEffect, useRef, useState } from "../lib.js";
import { Button, Icon } from "./basic.js";
import { Panel } from "./panel.js";

/**
 * A button that opens a panel.
 *
 * @param {{label?: string, icon?: string, title?: string, kind?: string, align?: "left"|"right", className?: string,
 *   children: *|((close: () => void) => *)}} props
 */
export function Menu({ label, icon, title, kind = "", align = "left", className = "", children }) {
  const [open, setOpen] = useState(false);
  const button = useRef(null);
  const close = (giveBack) => {
    setOpen(false);
    if (giveBack) button.current?.focus();
  };
  return html`<span class=${`menu ${className}`}>
    <button
      type="button"
      ref=${button}
      class=${`button small ${kind} ${label ? "" : "square"}`}
      title=${title}
      aria-label=${label ? undefined : title}
      aria-haspopup="true"
      aria-expanded=${String(open)}
      onClick=${() => setOpen(!open)}
    >
      ${icon && html`<${Icon} name=${icon} />`}${label && html`<span>${label}</span><${Icon} name="down" size=${12} />`}
    </button>
    ${open &&
    html`<${Panel} anchor=${button.current} label=${title ?? label} align=${align} onClose=${close}>
      ${typeof children === "function" ? children(() => setOpen(false)) : children}
    <//>`}
  </span>`;
}

/** One line of a menu. */
export function MenuItem({ onClick, icon, children, checked, kind = "", disabled = false }) {
  return html`<button
    type="button"
    class=${`menu-item ${kind}`}
    aria-pressed=${checked === undefined ? undefined : String(checked)}
    disabled=${disabled}
    onClick=${onClick}
  >
    <${Icon} name=${checked ? "check" : (icon ?? "")} /><span>${children}</span>
  </button>`;
}

/** A modal dialog; the browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, children, wide = false, className = "" }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog
    ref=${dialog}
    class=${`dialog ${wide ? "wide" : ""} ${className}`}
    aria-label=${title}
    onClose=${onClose}
    onClick=${(event) => event.target === dialog.current && onClose()}
  >
    <header>
      <h2>${title}</h2>
      <${Button} icon="close" title="Close" kind="plain" onClick=${onClose} />
    </header>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

const TOAST_MS = 8_000;
const toasts = signal([]);
let nextToast = 0;

/**
 * Say something in the corner for a while.
 *
 * @param {string} text
 * @param {{action?: string, onAction?: () => void, kind?: "note"|"good"|"bad"}} more
 */
export function toast(text, { action, onAction, kind = "note" } = {}) {
  nextToast += 1;
  const id = nextToast;
  const drop = () => {
    toasts.value = toasts.value.filter((one) => one.id !== id);
  };
  toasts.value = [...toasts.value.slice(-3), { id, text, action, onAction, kind, drop }];
  setTimeout(drop, TOAST_MS);
}

/** Where `toast` speaks; once on a page. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      (one) => html`<div class=${`toast ${one.kind}`} key=${one.id}>
        <span>${one.text}</span>
        ${one.action &&
        html`<button
          type="button"
          class="button small"
          onClick=${() => {
            one.drop();
            one.onAction();
          }}
        >
          ${one.action}
        </button>`}
        <${Button} icon="close" title="Dismiss" kind="plain" onClick=${one.drop} />
      </div>`,
    )}
  </div>`;
}
