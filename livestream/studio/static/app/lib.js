// The one door to the vendored libraries: everything else imports from here, so that a library can be changed in one place.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export { Component, Fragment, h, render } from "../vendor/preact.js";
export {
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/preact-hooks.js";
export {
  batch,
  computed,
  effect,
  signal,
  untracked,
  useComputed,
  useSignal,
} from "../vendor/signals.js";

/** JSX without a compiler: html`<p class=${name}>${text}</p>`. Text is always escaped; there is no raw HTML here. */
export const html = htm.bind(h);
