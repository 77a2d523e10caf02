// Makes the bar's links and the icon's whole: the server writes them relative to the page that it was asked for, which
// holds under any prefix of a proxy, but the application goes on to other addresses without asking for a page.
for (const link of document.querySelectorAll(".bar a, link[rel=icon]")) link.href = link.href;
for (const form of document.querySelectorAll(".bar form")) form.action = form.action;

// On pages that are not the application's, the switch of the theme: from the system's to light to dark, as there.
const SVG = "http://www.w3.org/2000/svg";
const THEME_KEY = "livestream.theme";
const THEMES = [
  ["system", "as the system", "M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13"],
  [
    "light",
    "light",
    "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6ZM8 1.5v1.2m0 10.6v1.2M1.5 8h1.2m10.6 0h1.2" +
      "M3.4 3.4l.9.9m7.4 7.4.9.9m0-9.2-.9.9m-7.4 7.4-.9.9",
  ],
  ["dark", "dark", "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6Z"],
];

function addThemeButton(tools) {
  let at = Math.max(0, THEMES.findIndex(([name]) => name === document.documentElement.dataset.theme));
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme-button";
  const icon = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["width", 16], ["height", 16], ["aria-hidden", "true"]]) {
    icon.setAttribute(key, value);
  }
  icon.append(line);
  button.append(icon);
  const show = () => {
    const [name, words, path] = THEMES[at];
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.title = `Theme: ${words}`;
    button.setAttribute("aria-label", button.title);
    line.setAttribute("d", path);
  };
  button.addEventListener("click", () => {
    at = (at + 1) % THEMES.length;
    show();
    try {
      localStorage.setItem(THEME_KEY, JSON.stringify(THEMES[at][0]));
    } catch {
      // A browser that keeps nothing: this page alone changes.
    }
  });
  show();
  tools.append(button);
}

const tools = document.getElementById("tools");
if (tools && !document.getElementById("app")) addThemeButton(tools);
