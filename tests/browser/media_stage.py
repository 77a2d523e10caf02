"""Images and whole plots sent as the stock client sends them, and their sections put on a page of their own."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from typing import Final

from browser_stage import Tab
from playwright.async_api import expect
from studio_stage import WAIT_S, Client, body

from livestream.events import Json, JsonObject
from livestream.pipeline.encode import png

expect.set_options(timeout=WAIT_S * 1000)

PLOTS: Final = "dvclive/plots"
TEMPLATES: Final = (
    "simple",
    "linear",
    "smooth",
    "scatter",
    "scatter_jitter",
    "confusion",
    "confusion_normalized",
    "bar_horizontal",
    "bar_horizontal_sorted",
)
_MOUNT: Final = """async ([names, ids]) => {
    const load = (path) => import("/static/app/" + path);
    for (const sheet of ["studio.css", "css/app.css", "css/plots.css", "css/media.css"]) {
        const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/" + sheet });
        await new Promise((done) => { link.onload = done; document.head.append(link); });
    }
    const { html, render, signal } = await load("lib.js");
    const sections = { ...(await load("plots/images.js")), ...(await load("plots/templates_section.js")) };
    const { get } = await load("data/api.js");
    const page = await get("api/experiments", { id: ids });
    (await load("data/feed.js")).follow(page.change);
    (await load("parts/theme.js")).startTheme();
    globalThis.shown = signal(ids.map((id) => page.experiments.find((one) => one.id === id)));
    globalThis.view = await load("data/view.js");
    const app = Object.assign(document.createElement("main"), { id: "app" });
    document.body.replaceChildren(app);
    const All = () => names.map((name) => html`<${sections[name]} experiments=${shown.value} />`);
    render(html`<${All} />`, app);
}"""


async def mount(tab: Tab, ids: list[int], *names: str) -> None:
    """Put sections on an empty page of the Studio, with what they need of the app running."""
    await tab.open("sign-in?again=1")
    await tab.page.evaluate(_MOUNT, [list(names), ids])


async def until(tab: Tab, script: str, argument: Json = None) -> None:
    """Wait until JavaScript gives something true; Playwright's own waiting is eval, which the policy forbids."""
    deadline = time.monotonic() + WAIT_S
    while not await tab.page.evaluate(script, argument):
        assert time.monotonic() < deadline, script
        await asyncio.sleep(0.03)


async def send(client: Client, name: str, step: int, plots: JsonObject) -> int:
    """Post plots of a run, and give its id."""
    await client.post(body("data", name, step, plots=plots))
    page = await client.get("/api/experiments", name=name)
    number: int = page["experiments"][0]["id"]
    return number


def image(red: int, side: int = 8) -> JsonObject:
    """Give a square of one colour as a picture of a plot."""
    content = png(bytes((red, 20, 120)) * side * side, height=side, width=side, channels=3, max_bytes=10_000)
    return {"image": base64.b64encode(content).decode()}


def plot_of(template: str, shift: float = 0.0) -> JsonObject:
    """Give a plot for one of DVC's templates, with names of columns that Vega's field syntax would misread."""
    if template.startswith("confusion"):
        pairs = [("cat", "cat")] * 8 + [("cat", "dog")] * 2 + [("dog", "dog")] * 9 + [("fox", "fox.[0]'\"")]
        rows: list[Json] = [{"actual": actual, "predicted": predicted} for actual, predicted in pairs]
        return {"data": rows, "props": {"template": template, "x": "actual", "y": "predicted"}}
    if template.startswith("bar"):
        rows = [{"how.much": place + shift + 1, "of[what]": name} for place, name in enumerate(("a.b", "c[0]", "d'\""))]
        return {"data": rows, "props": {"template": template, "x": "how.much", "y": "of[what]", "title": template}}
    rows = [{"x.1": place / 10, "y[0]'\"": math.sin(place / 5) + shift} for place in range(60)]
    return {"data": rows, "props": {"template": template, "x": "x.1", "y": "y[0]'\"", "title": template}}
