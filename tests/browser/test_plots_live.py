"""Plots by their pixels: lines where their values are, raw rows behind a zoom, films by step, and both themes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from acceptance_stage import DARK_PAPER, LIGHT_PAPER, Colour, colour_at, curve, emit, middle, near
from browser_stage import Tab
from media_stage import PLOTS, image, until
from playwright.async_api import Locator, Response
from studio_stage import Client, body

from livestream.events import Json

_PLACES: Final = 8
_LOOK: Final = 'import(new URL("plots/look.js", document.querySelector("script[type=module]").src))'
_HEIGHTS: Final = (
    f"([card, ids, places]) => {_LOOK}"
    """.then(({ inkOf }) => {
    const plot = document.querySelector(`.plot-card[aria-label="${card}"]`);
    const canvas = plot?.querySelector("canvas");
    const over = plot?.querySelector(".u-over");
    if (!over || !canvas.width) return null;
    const scale = canvas.width / canvas.getBoundingClientRect().width;
    const origin = canvas.getBoundingClientRect();
    const box = over.getBoundingClientRect();
    const context = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const top = Math.round((box.top - origin.top) * scale);
    const height = Math.round(box.height * scale);
    return ids.map((id) => {
        const ink = [1, 3, 5].map((at) => parseInt(inkOf(id).slice(at, at + 2), 16));
        return Array.from({ length: places }, (_, place) => {
            const x = Math.round((box.left - origin.left + (box.width * (place + 0.5)) / places) * scale);
            const { data } = context.getImageData(x, top, 1, height);
            const found = [];
            for (let y = 0; y < height; y += 1) {
                const [red, green, blue, alpha] = data.subarray(4 * y, 4 * y + 4);
                if (alpha > 200 && Math.max(...[red, green, blue].map((one, at) => Math.abs(one - ink[at]))) < 40) {
                    found.push(y);
                }
            }
            return found.length ? found.reduce((sum, y) => sum + y, 0) / found.length / height : null;
        });
    });
})"""
)
"""At places from the left to the right: how far down pixels of a run's colour are, 0 at the top; null where none is."""


async def heights(tab: Tab, card: str, *ids: int) -> list[list[float | None]]:
    found: list[list[float | None]] = await tab.page.evaluate(_HEIGHTS, [card, list(ids), _PLACES])
    return found


async def lined(tab: Tab, card: str, *ids: int) -> list[list[float]]:
    """Wait until the lines go from the left to the right."""
    whole = f"(asked) => ({_HEIGHTS})(asked).then((all) => all && all.every((line) => !line.includes(null)))"
    await until(tab, whole, [card, list(ids), _PLACES])
    return [[one for one in line if one is not None] for line in await heights(tab, card, *ids)]


async def start(client: Client, name: str, points: list[tuple[int, float]]) -> None:
    await client.post(body("start", name))
    await client.post(body("data", name, points[-1][0], plots=curve("train/loss", points)))


async def test_lines_are_where_their_values_are_and_go_on_live(tab: Tab) -> None:
    page, client = tab.page, tab.studio.client
    await start(client, "low", [(step, 1.0) for step in range(101)])
    await start(client, "high", [(step, 1.0 + step / 50) for step in range(101)])
    await tab.open("?layout=plots&select=1,2")
    low, high = await lined(tab, "train/loss", 1, 2)
    assert max(low) - min(low) < 0.02  # level, and at the bottom
    assert min(low) > 0.8
    rises = [before - after for before, after in pairwise(high)]
    assert all(abs(rise - rises[0]) < 0.02 for rise in rises)  # straight, up to the top
    assert high[0] - high[-1] > 0.6
    assert high[-1] < 0.25

    points = [(step, 3.0) for step in range(101, 202)]
    await client.post(body("data", "low", 201, plots=curve("train/loss", points)))
    half = f"(asked) => ({_HEIGHTS})(asked).then(([line]) => line.at(-1) !== null && line.at(-1) < 0.3)"
    await until(tab, half, ["train/loss", [1], _PLACES])
    low_now, high_now = await heights(tab, "train/loss", 1, 2)
    assert all(y is not None and y > 0.8 for y in low_now[:4])
    assert high_now[-1] is None  # it ends in the middle now
    assert high_now[0] is not None

    await page.locator(".plots-legend button", has_text="low").click()
    gone = f"(asked) => ({_HEIGHTS})(asked).then(([low, high]) => low.every((y) => y === null) && high[0] !== null)"
    await until(tab, gone, ["train/loss", [1, 2], _PLACES])


async def test_a_zoom_goes_down_to_every_row_that_was_sent(tab: Tab) -> None:
    await start(tab.studio.client, "long", [(step, math.sin(step / 50)) for step in range(6_000)])
    answers: list[Response] = []
    tab.page.on("response", lambda answer: answers.append(answer) if "/api/charts" in answer.url else None)
    await tab.open("?layout=plots&select=1")
    await lined(tab, "train/loss", 1)
    whole = await chart(answers[-1])
    assert whole["width"] > 1
    assert len(whole["steps"]) < 1_000
    answers.clear()
    await tab.open("?layout=plots&select=1&zoom=train%2Floss:3000~3120")
    await until(tab, "() => performance.getEntriesByType('resource').some((one) => /charts.*from=/.test(one.name))")
    (zoomed,) = [answer for answer in answers if "from=" in answer.url]
    part = await chart(zoomed)
    steps = part["steps"]
    assert part["width"] == 1
    assert steps == list(range(steps[0], steps[-1] + 1))
    assert 120 <= len(steps) <= 130
    await lined(tab, "train/loss", 1)


async def chart(answer: Response) -> Json:
    (found,) = (await answer.json())["charts"]
    return found


async def test_films_go_by_step_side_by_side(tab: Tab) -> None:
    page, client = tab.page, tab.studio.client
    for name, reds in (("one", {0: 200, 5: 40}), ("two", {0: 120, 5: 250})):
        for step, red in reds.items():
            await client.post(body("data", name, step, plots={f"{PLOTS}/images/samples/{step}.png": image(red, 32)}))
    await tab.open("?layout=plots&select=1,2")
    one, two = (page.locator(".film-tile", has_text=name).locator("img") for name in ("one", "two"))
    await seen(one, (40, 20, 120))
    await seen(two, (250, 20, 120))
    left, right = await one.bounding_box(), await two.bounding_box()
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    await page.get_by_role("slider", name="Step").fill("0")
    await seen(one, (200, 20, 120))
    await seen(two, (120, 20, 120))


async def seen(picture: Locator, colour: Colour) -> None:
    """Wait until a picture has a colour, on the screen."""
    await picture.scroll_into_view_if_needed()
    for _ in range(200):
        if near(await middle(picture), colour):
            return
    raise AssertionError(f"{await middle(picture)} is not {colour}")


async def test_both_themes_by_system_and_by_switch_are_painted(tab: Tab) -> None:
    page, client = tab.page, tab.studio.client
    await start(client, "one", [(step, 1.0 + step) for step in range(50)])
    await emit(client, "two", 0.5)

    async def painted(paper: Colour) -> None:
        """The paper is at the edge of the pane; the line has the run's colour of the theme, which `look.js` gives."""
        await until(tab, "(colour) => getComputedStyle(document.body).backgroundColor === colour", f"rgb{paper}")
        assert near(await colour_at(page, 3, 880), paper)
        await lined(tab, "train/loss", 1)

    await tab.open("?layout=plots&select=1")
    await painted(LIGHT_PAPER)
    light = await page.evaluate(f"() => {_LOOK}.then(({{ inkOf }}) => inkOf(1))")
    await page.emulate_media(color_scheme="dark")
    await painted(DARK_PAPER)
    dark = await page.evaluate(f"() => {_LOOK}.then(({{ inkOf }}) => inkOf(1))")
    assert light != dark

    await page.get_by_role("button", name="Theme").click()
    await page.get_by_role("button", name="Light", exact=True).click()
    await painted(LIGHT_PAPER)
    await page.reload()
    await painted(LIGHT_PAPER)
    await page.emulate_media(color_scheme="light")
    await page.get_by_role("button", name="Theme").click()
    await page.get_by_role("button", name="Dark", exact=True).click()
    await painted(DARK_PAPER)
    await tab.open("tokens")  # made by the server
    assert near(await colour_at(page, 3, 880), DARK_PAPER)
