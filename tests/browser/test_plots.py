"""The plots pane: lines on the canvas, zoom that asks the server, live tails, groups, single values, foreign names."""

from __future__ import annotations

import math
import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

from browser_stage import Tab
from media_stage import until
from playwright.async_api import Locator, Page, Request, expect
from studio_stage import Client, body, scalars

from livestream.events import Json

HOSTILE: Final = '"><img src=x onerror=alert(1)>\u202e__proto__'

_INK: Final = """(card) => {
    const canvas = card.querySelector("canvas");
    if (!canvas) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.subarray(at, at + 4);
        if (alpha > 100 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
    }
    return count;
}"""
"""How many pixels of a card's canvas are coloured: axes and grid are grey."""


class Asked:
    """What a page asks of /api/charts."""

    def __init__(self, page: Page) -> None:
        self.queries: list[dict[str, list[str]]] = []
        page.on("request", self._heard)

    def _heard(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.path.endswith("/api/charts"):
            self.queries.append(parse_qs(address.query))


async def send(
    client: Client, name: str, rows: list[tuple[int, float]], path: str = "train/loss", **more: Json
) -> None:
    await client.post(body("start", name, **more))
    await client.post(body(name=name, step=rows[-1][0], plots=scalars(rows, path)))


def decay(steps: range, factor: float = 1.0) -> list[tuple[int, float]]:
    return [(step, factor * math.exp(-step / 300)) for step in steps]


async def card(tab: Tab, name: str) -> Locator:
    found = tab.page.locator(f".plot-card[aria-label={name!r}]")
    await found.scroll_into_view_if_needed()
    return found


async def drawn(tab: Tab, name: str) -> Locator:
    """Wait until lines are on the canvas of a card: its pixels are looked at."""
    found = await card(tab, name)
    cards = '[...document.querySelectorAll(".plot-card")]'
    await until(tab, f"(name) => ({_INK})({cards}.find((one) => one.ariaLabel === name)) > 200", name)
    return found


async def test_lines_are_drawn_zoomed_by_the_server_and_kept_in_the_address(tab: Tab) -> None:
    await send(tab.studio.client, "one", decay(range(1000)))
    await send(tab.studio.client, "two", decay(range(1000), 0.5))
    asked = Asked(tab.page)
    await tab.open("?layout=plots&select=1,2")
    loss = await drawn(tab, "train/loss")
    assert asked.queries[0] == {"experiment": ["1", "2"], "name": ["train/loss"], "points": ["250"]}

    over = loss.locator(".u-over")
    box = await over.bounding_box()
    assert box is not None
    asked.queries.clear()
    await tab.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    await tab.page.mouse.down()
    await tab.page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 50, steps=4)
    await tab.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50, steps=4)
    await tab.page.mouse.up()
    await expect(tab.page).to_have_url(re.compile(r"zoom=train%2Floss:4\d\d(\.\d+)?~(59\d|60\d)"))
    await until(tab, "() => document.querySelector('.plot-readout:not([hidden]) li') !== null")
    await expect(loss.locator(".plot-readout p").first).to_have_text(re.compile(r"^Step 5\d\d$"))
    (query,) = [query for query in asked.queries if "from" in query]
    assert 490 <= int(query["from"][0]) <= 505
    assert 590 <= int(query["to"][0]) <= 610

    await tab.page.reload()
    await drawn(tab, "train/loss")
    await tab.page.mouse.move(5, 5)
    await over.dblclick()
    await expect(tab.page).not_to_have_url(re.compile("zoom"))


async def test_new_rows_come_as_a_tail(tab: Tab) -> None:
    await send(tab.studio.client, "one", decay(range(100)))
    asked = Asked(tab.page)
    await tab.open("?layout=plots&select=1")
    loss = await drawn(tab, "train/loss")
    await expect(loss.locator(".plot-value")).to_have_text("0.718924")
    asked.queries.clear()
    await tab.studio.client.post(body(name="one", step=100, plots=scalars([(100, 7.25)])))
    await expect(loss.locator(".plot-value")).to_have_text("7.25")
    assert asked.queries[0] == {"experiment": ["1"], "name": ["train/loss"], "points": ["500"], "from": ["99"]}


async def test_groups_single_values_and_search(tab: Tab) -> None:
    for index, (name, optimizer) in enumerate([("a", "adam"), ("b", "adam"), ("c", "sgd")]):
        params: Json = {"params.yaml": {"optimizer": optimizer}}
        await send(tab.studio.client, name, decay(range(50), 1 + index), params=params)
        await tab.studio.client.post(body(name=name, step=49, plots=scalars([(49, float(index))], "test/best")))
    await tab.open("?layout=plots&select=1,2,3&group=params[params.yaml].optimizer")
    await expect(tab.page.locator(".plots-legend button")).to_have_text(["adam (2 runs)", "sgd (1 run)"])
    await drawn(tab, "train/loss")
    bars = (await card(tab, "test/best")).locator(".plot-bars li")
    await expect(bars).to_have_text([re.compile(r"sgd.*2$"), re.compile(r"adam.*0\.5$")])
    await tab.page.get_by_role("searchbox", name=re.compile("^Search plots")).fill("^train")
    await expect(tab.page.locator(".plot-card")).to_have_count(1)


async def test_a_foreign_name_is_text_and_nan_is_said(tab: Tab) -> None:
    rows: list[tuple[int, float]] = [(step, 1.0 + step) for step in range(5)]
    plots = scalars(rows, HOSTILE)
    next(iter(plots.values()))["data"][2][HOSTILE.rpartition("/")[2]] = "nan"
    await tab.studio.client.post(body("start", HOSTILE))
    await tab.studio.client.post(body(name=HOSTILE, step=4, plots=plots))
    await tab.open("?layout=plots&select=1")
    await expect(tab.page.locator(".plot-note")).to_have_text("1 point NaN or infinite")
    await expect(tab.page.locator(".plots-legend button")).to_have_text(re.compile(r"<img src=x"))
    assert await tab.page.locator("main img").count() == 0
