"""Whatever a client sends is text on every page: nothing of it runs, becomes an element, or is fetched."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from acceptance_stage import METRICS, SETTLED, forgive
from browser_stage import Tab
from media_stage import PLOTS, image, until
from playwright.async_api import Page, Request, expect
from studio_stage import OpenStudio, body, open_studio

from livestream.events import Json, JsonObject

MARKUP: Final = (
    '"><img src=x onerror=hacked=1><svg onload=hacked=1><script>hacked=1</script></title></style>'
    "<a href=javascript:hacked=1>'\"`--><iframe srcdoc='<script>parent.hacked=1</script>'>"
)
TEXTS: Final = (
    MARKUP,
    "javascript:hacked=1",
    "{{constructor.constructor('hacked=1')()}}${hacked=1}<%hacked=1%>#{hacked=1}'];hacked=1;//",
    "__proto__",
    "constructor",
    "\u202e\u2066gpj.exe\u2069 \ufeff\u200b<b>bidi</b>",
    f"\x00\x07\x1b[31m\x85\u2028{MARKUP}\r\n",
    "x" * 9_990 + "<b>wide</b>",
)
MARKED: Final = "onload=hacked=1"
"""A part of `MARKUP` that a page must show as text."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_HARM: Final = """() => ({
    ran: "hacked" in globalThis,
    polluted: Object.keys(Object.prototype).length + Object.keys(Array.prototype).length,
    made: [...document.querySelectorAll(
        "img[src='x'], script:not([src]), svg[onload], iframe, a[href^='javascript'], [onerror], [onload]",
    )].map((one) => one.outerHTML.slice(0, 200)),
    links: [...document.querySelectorAll("a[href], form[action]")].map((one) => one.href ?? one.action)
        .filter((link) => !/^(https?|blob):/.test(link)),
})"""
HARMLESS: Final = {"ran": False, "polluted": 0, "made": [], "links": []}


def key_of(text: str) -> str:
    """Give a text as far as it may be a name or a path."""
    return _CONTROL.sub("?", text)[:900]


def everywhere(text: str) -> list[JsonObject]:
    """Give bodies that hold a text in every field."""
    key = key_of(text)
    rows: list[Json] = [{"step": step, "timestamp": 1_700_000_000_000 + step, key: step + 0.5} for step in range(3)]
    words: list[Json] = [{"step": 3, key: text}, {"step": 4, key: 1.0, key + "2": text}]
    points: list[Json] = [{key: step, "y" + key: step / 2, "text": text} for step in range(4)]
    pairs: list[Json] = [{"actual": key, "predicted": text[:300]}, {"actual": "b", "predicted": key}]
    plots: JsonObject = {
        f"{PLOTS}/metrics/{key}.tsv": {"data": rows},
        f"{PLOTS}/metrics/words/{key}.tsv": {"data": words},
        f"{PLOTS}/custom/{key}.json": {
            "data": points,
            "props": {"title": text, "x": key, "y": "y" + key, "x_label": text, "y_label": text, "template": "linear"},
        },
        f"{PLOTS}/custom/template-{key}.json": {"data": points, "props": {"template": text, "title": text}},
        f"{PLOTS}/sklearn/{key}.json": {
            "data": pairs,
            "props": {"template": "confusion", "x": "actual", "y": "predicted", "title": text, key: text},
        },
        f"{PLOTS}/images/{key}/0.png": image(200),
        f"{PLOTS}/broken/{key}.json": {"error": {"cls": key, "text": text}},
    }
    values: JsonObject = {key: text, "train": {key: 0.5, "text": text}, "list": [text], "nested": {key: {key: key}}}
    shared: Json = {"subdir": key, "client": key}
    return [
        body("start", key, message=text, params={f"{key}.yaml": values}, **shared),
        body(
            "data",
            key,
            4,
            metrics={f"{key}.json": {"data": values, "error": {"cls": key, "text": text}}, METRICS: {"data": values}},
            plots=plots,
            machine=values,
            env=values,
            **shared,
            **{key if key != "constructor" else "other": text},
        ),
        body("done", key, errors=[{"cls": key, "text": text}, {"cls": key, "text": key}], **shared),
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenStudio]:
    """Give one Studio that took all of it; the tests here only look."""
    async with open_studio(tmp_path_factory.mktemp("hostile") / "data") as running:
        for text in TEXTS:
            for sent in everywhere(text):
                await running.client.post(sent)
        for number, url in enumerate((f"https://evil.example/{MARKUP}", f"javascript:hacked=1//github.com/{MARKUP}/b")):
            repository: JsonObject = {"repo_url": key_of(url)}
            await running.client.post(body("data", f"repository-{number}") | repository)
            await running.client("POST", "/api/projects", json=repository | {"name": MARKUP[:150], "subdir": "a"})
        running.services.keeper.create(key_of(MARKUP)[:100], ("ingest",))
        yield running


@pytest.fixture
def fetched(tab: Tab) -> list[str]:
    """Collect what is asked of anybody but the Studio, and make what opens a dialog an error."""
    elsewhere: list[str] = []

    def hear(request: Request) -> None:
        if not request.url.startswith((tab.studio.url, "data:", "blob:")):
            elsewhere.append(request.url)

    tab.page.context.on("request", hear)
    return elsewhere


async def look(tab: Tab, path: str) -> Page:
    await tab.open(path)
    await until(tab, SETTLED)
    assert await tab.page.evaluate(_HARM) == HARMLESS, path
    return tab.page


async def shown(page: Page) -> None:
    """Expect that the page shows the markup as it was written."""
    await expect(page.locator("body")).to_contain_text(MARKED)


async def test_all_of_it_was_taken(studio: OpenStudio) -> None:
    found = (await studio.client.get("/api/experiments"))["experiments"]
    assert {one["name"] for one in found} >= {key_of(text) for text in TEXTS}
    (marked,) = [one for one in found if one["name"] == key_of(MARKUP)]
    assert marked["message"] == MARKUP
    whole = await studio.client.get(f"/api/experiments/{marked['id']}")
    assert str(whole).count(MARKED) > 15


async def test_the_table_and_its_menus(tab: Tab, fetched: list[str]) -> None:
    page = await look(tab, "?rows=flat&layout=table")
    await shown(page)
    name = key_of(MARKUP)
    assert await page.get_by_role("link", name=name, exact=True).count() == 1
    for step in range(12):  # all columns come by
        await page.evaluate("(step) => document.querySelector('.data-grid').scrollTo(step * 1200, 0)", step)
        assert await page.evaluate(_HARM) == HARMLESS
    for button in ("Columns", "Filter"):
        await page.get_by_role("button", name=button, exact=True).click()
        await expect(page.locator(".panel")).to_contain_text(MARKED)
        assert await page.evaluate(_HARM) == HARMLESS
        await page.keyboard.press("Escape")
    await page.evaluate("document.querySelector('.data-grid').scrollTo(0, 0)")
    await page.locator(".line.experiment .row-menu").first.dispatch_event("click")
    await page.keyboard.press("Escape")
    for typed in ("metrics.", "status=", MARKUP, "params[", '"', "name=", "__proto__>1"):
        await page.get_by_role("combobox").fill(typed)
        assert await page.evaluate(_HARM) == HARMLESS
    await page.locator(".project-switch > button").click()
    await expect(page.locator(".project-switch .panel")).to_contain_text(MARKED)
    await look(tab, "?rows=git")
    assert fetched == []


@pytest.mark.timeout(300)
async def test_plots_images_and_templates(tab: Tab, fetched: list[str]) -> None:
    page = await look(tab, "?layout=plots&select=1,2,3,4,5,6,7,8")
    await shown(page)
    series = (await tab.studio.client.get("/api/series?" + "&".join(f"experiment={at}" for at in range(1, 9))))[
        "series"
    ]
    assert len(series) >= len(TEXTS) - 1
    await expect(page.locator(".plot-card")).to_have_count(len(series))
    for card in (await page.locator(".plot-card, .film-card, .media-card").all())[::3]:
        await card.scroll_into_view_if_needed()
    assert await page.evaluate(_HARM) == HARMLESS
    plot = page.locator(".media-card[aria-label*='plots/custom/\"><img']")
    await plot.scroll_into_view_if_needed()
    await plot.locator("canvas").hover()
    assert await page.evaluate(_HARM) == HARMLESS
    await page.locator(".film-open").first.click()
    await expect(page.locator("dialog")).to_contain_text(MARKED)
    assert await page.evaluate(_HARM) == HARMLESS
    await page.keyboard.press("Escape")
    assert fetched == []


@pytest.mark.timeout(300)
async def test_pages_of_experiments_and_all_others(tab: Tab, fetched: list[str]) -> None:
    for number in range(1, len(TEXTS) + 1):
        await look(tab, f"experiments/{number}")
        await expect(tab.page.locator(".problem").first).to_be_visible()
        assert await tab.page.evaluate(_HARM) == HARMLESS
    for path in ("experiments/1", "compare?id=1&id=2&id=3&id=4&id=5&id=7&id=8&all=1", "projects", "tokens"):
        page = await look(tab, path)
        await shown(page)
        assert await page.evaluate(_HARM) == HARMLESS
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    await look(tab, "settings")
    assert fetched == []


@pytest.mark.timeout(300)
async def test_an_address_that_somebody_else_wrote(tab: Tab, fetched: list[str]) -> None:
    evil = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dhacked%3D1%3E"
    fields = ("q", "filter", "hide", "order", "pin", "closed", "plot", "x", "group", "star", "fold", "full", "sort")
    for value in (evil, "__proto__", "constructor", "javascript:hacked=1", "%00%E2%80%AE", "(((((", "%"):
        pairs = "&".join(f"{name}={value}:1~2" for name in ("zoom", "width", "goal"))
        await look(tab, f"?{pairs}&select=1,2,__proto__&" + "&".join(f"{name}={value}" for name in fields))
        assert "hacked=1" not in (await tab.page.title())
    for path in (f"compare?id={evil}&reference=__proto__", f"experiments/1?tab={evil}", f"sign-in?again=1&next={evil}"):
        await look(tab, path)
    for onward in ("//evil.example/", "https://evil.example/", "javascript:hacked=1", "/\\evil.example"):
        await tab.page.goto("about:blank")  # what was open would go on to the sign-in by itself
        await tab.page.context.clear_cookies()
        await tab.open(f"sign-in?next={onward}")
        await tab.page.get_by_label("Token or sign-in code").fill(tab.studio.services.keeper.new_sign_in_code())
        await tab.page.get_by_role("button", name="Sign in").click()
        await tab.page.wait_for_url(lambda url: "sign-in" not in url)
        assert tab.page.url.startswith(f"{tab.studio.url}/")
    forgive(tab, "401", "404")  # /evil.example is a page that this Studio has not
    assert fetched == []
