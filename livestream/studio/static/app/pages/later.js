// Parts of the page that are loaded when they are first shown.

import { html, signal, useLayoutEffect } from "../lib.js";
import { toast } from "../parts/index.js";

const loaded = signal(new Map());

/**
 * A component that is loaded when it is first shown.
 *
 * @param {{name: string, from: () => Promise<object>, props?: object, wait?: *}} given `name`: of the component in the
 *   module that `from` loads; `wait`: shown until it is there.
 */
export function Later({ name, from, props = {}, wait = html`<div class="page-wait"></div>` }) {
  useLayoutEffect(() => load(name, from), [name]);
  const Component = loaded.value.get(name);
  return Component ? html`<${Component} ...${props} />` : wait;
}

function load(name, from) {
  if (loaded.peek().has(name)) return;
  from().then(
    (module) => {
      loaded.value = new Map(loaded.value).set(name, module[name]);
    },
    () => {
      const onAction = () => load(name, from);
      toast("This part of the page could not be loaded: is the Studio up?", { kind: "bad", action: "Try again", onAction });
    },
  );
}

/** The plots pane is a third of the page's code and not needed for the first look. @param {{wait: *}} props */
export function LaterPlots({ wait }) {
  return html`<${Later} name="PlotsPane" from=${() => import("../plots/pane.js")} wait=${wait} />`;
}
