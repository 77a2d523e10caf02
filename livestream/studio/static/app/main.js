// Where the page begins.

import { html, render } from "./lib.js";
import * as experiments from "./data/experiments.js";
import * as projects from "./data/projects.js";
import { startRouter } from "./data/route.js";
import { App, Tools } from "./pages/frame.js";
import { startTheme } from "./parts/theme.js";

experiments.start();
startTheme();
startRouter();
const main = document.getElementById("app");
main.replaceChildren();
render(html`<${App} />`, main);
render(html`<${Tools} />`, document.getElementById("tools"));
projects.start();
