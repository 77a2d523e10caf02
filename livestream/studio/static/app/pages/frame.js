// Around every page: what stands in the bar's tools, toasts, the help dialog, and which page is open.

import { html, signal, useEffect } from "../lib.js";
import { connection } from "../data/feed.js";
import { route } from "../data/route.js";
import { Button, Menu, MenuItem, THEMES, Toasts, theme, useKeys } from "../parts/index.js";
import { Later } from "./later.js";
import { TablePage } from "./table_page.js";

const CONNECTIONS = new Map([
  ["live", "Live: changes arrive as they happen"],
  ["connecting", "Connecting"],
  ["polling", "Changes are asked for in turns: something between here and the Studio holds streams back"],
  ["lost", "The Studio does not answer; trying again"],
]);

/** Pages that are loaded when they are first opened: file, and the component in it. */
const LATER = [
  [/^experiments\/\d+$/, () => import("./experiment.js"), "ExperimentPage"],
  [/^compare$/, () => import("./compare.js"), "ComparePage"],
  [/^projects$/, () => import("./projects.js"), "ProjectsPage"],
  [/^settings$/, () => import("./settings.js"), "SettingsPage"],
];
const helpShown = signal(false);

/** In the bar: the theme, and whether the page is live. */
export function Tools() {
  const icon = THEMES.find(([name]) => name === theme.value)?.[2] ?? "system";
  return html`<span class=${`connection ${connection.value}`} role="status" title=${CONNECTIONS.get(connection.value)}>
      <span class="unseen">${CONNECTIONS.get(connection.value)}</span>
    </span>
    <${Button} icon="help" title="Keys and words" kind="plain" onClick=${() => (helpShown.value = true)} />
    <${Menu} icon=${icon} title="Theme" kind="plain" align="right">
      ${(close) =>
        THEMES.map(
          ([name, label, shown]) => html`<${MenuItem}
            icon=${shown}
            checked=${theme.value === name}
            onClick=${() => {
              theme.value = name;
              close();
            }}
          >${label}<//>`,
        )}
    <//>`;
}

/** The page that is open, and what may lie above it. */
export function App() {
  useKeys({ "?": () => (helpShown.value = true) });
  const { path } = route.value;
  useEffect(() => markLink(path), [path]);
  return html`${page(path)}<${Toasts} />${helpShown.value && html`<${Help} />`}`;
}

function Help() {
  const onClose = () => (helpShown.value = false);
  return html`<${Later} name="HelpDialog" from=${() => import("./help.js")} props=${{ onClose }} wait=${null} />`;
}

function page(path) {
  if (path === "") return html`<${TablePage} />`;
  const found = LATER.find(([pattern]) => pattern.test(path));
  if (!found) return html`<${TablePage} />`;
  const [, from, name] = found;
  const props = { id: Number(/\d+$/.exec(path)?.[0] ?? 0), query: route.value.query };
  return html`<${Later} key=${name} name=${name} from=${from} props=${props} />`;
}

/** The bar is made by the server; which of its links is current changes with the page. */
function markLink(path) {
  for (const link of document.querySelectorAll(".bar nav a")) {
    const leads = new URL(link.href, location.href).pathname;
    const at = location.pathname;
    if (leads === at || (path.startsWith("experiments/") && link.matches("nav a:first-child"))) {
      link.setAttribute("aria-current", "page");
    } else {
      link.removeAttribute("aria-current");
    }
  }
}
