// Dark or light: as the system has it, unless the person chose. `static/theme.js` sets it before the first paint.

import { computed, effect, signal, untracked } from "../lib.js";
import { remembered } from "../data/memory.js";

/** @type {import("../lib.js").Signal<"system"|"light"|"dark">} */
export const theme = remembered("theme", "system");

/** What can be chosen: value, words, icon. */
export const THEMES = [
  ["system", "As the system", "system"],
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
];

const system = matchMedia("(prefers-color-scheme: dark)");

const isSystemDark = signal(system.matches);
const dark = computed(() => theme.value === "dark" || (theme.value === "system" && isSystemDark.value));

/** Whether the page is dark now; a signal is read. */
export function isDark() {
  return dark.value;
}

/** Begin to follow; drawings that read colours listen to the window's "theme" event. */
export function startTheme() {
  effect(() => {
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
    untracked(() => dispatchEvent(new Event("theme"))); // what listeners read is none of this effect's business
  });
  system.addEventListener("change", () => {
    isSystemDark.value = system.matches;
    dispatchEvent(new Event("theme"));
  });
}
