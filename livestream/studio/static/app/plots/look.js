// The colours of the page as drawings need them: resolved for the theme of now, in a form that every library knows.

import { runColour } from "../data/colours.js";
import { signal } from "../lib.js";
import { isDark } from "../parts/theme.js";

const ROLES = { card: "--card", ink: "--ink", soft: "--soft", line: "--line", accent: "--accent", none: "--hover" };

/** @type {import("../lib.js").Signal<object>} A new object when the theme changes; see `Look` in core/templates.js. */
export const look = signal(readLook());

const inks = new Map();

addEventListener("theme", () => {
  inks.clear();
  look.value = readLook();
});

/** A run's colour as "#rrggbb", in the theme that is drawn now. */
export function inkOf(id) {
  const colour = runColour(id, look.value.isDark);
  if (!inks.has(colour)) inks.set(colour, hexOf(colour));
  return inks.get(colour);
}

function readLook() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const found = { isDark: isDark(), font: getComputedStyle(document.body).fontFamily };
  for (const [role, token] of Object.entries(ROLES)) {
    probe.style.color = `var(${token})`;
    found[role] = hexOf(getComputedStyle(probe).color);
  }
  probe.remove();
  return found;
}

/** Any CSS colour as "#rrggbb": painted, and looked at. */
function hexOf(colour) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return `#${[red, green, blue].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
}
