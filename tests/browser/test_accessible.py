"""Every page for everybody: axe finds nothing serious in light and dark, and 800 pixels are enough."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from acceptance_stage import SETTLED, clone, fill
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has no types
from browser_stage import NARROW, Tab, new_tab
from media_stage import until
from playwright.async_api import BrowserContext, Page
from studio_stage import OpenStudio, open_studio

from livestream.events import Json

State = Callable[[Page], Awaitable[object]]

_REACHABLE: Final = """() => {
    const scrolls = (one) => /auto|scroll/.test(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth;
    const lost = [];
    for (const one of document.querySelectorAll("button, a[href], input, select, summary")) {
        const { left, right, top, bottom, width } = one.getBoundingClientRect();
        if (!width || !one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        if (one.closest(".unseen, .data-grid")) continue;
        let around = one.parentElement;
        while (around && !scrolls(around)) around = around.parentElement;
        if (around && around !== document.documentElement && around !== document.body) continue;
        const name = one.ariaLabel || one.textContent.trim() || one.name || one.className;
        if (left < -1 || right > innerWidth + 1) lost.push(`${name}: ${left} to ${right}`);
        const [x, y] = [(left + right) / 2, (top + bottom) / 2];
        const hit = document.elementFromPoint(x, y);
        const label = one.closest("label");
        if (hit && y < innerHeight && !one.contains(hit) && !hit.contains(one) && !label?.contains(hit)) {
            lost.push(`${name}: below ${hit.className || hit.tagName}`);
        }
    }
    return { lost, wide: document.documentElement.scrollWidth > innerWidth };
}"""
"""What a hand cannot get at: beyond the window where nothing scrolls to it, or below something else."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenStudio]:
    """Give one Studio for all tests here, which only look."""
    folder = tmp_path_factory.mktemp("accessible")
    shas = clone(folder / "clone")
    async with open_studio(folder / "data", repositories=(str(folder / "clone"),)) as running:
        await fill(running.client, shas)
        running.services.keeper.create("cluster-a", ("ingest",))
        yield running


async def as_it_is(page: Page) -> None:
    pass


async def _chosen(page: Page) -> None:
    await page.get_by_role("button", name="2 selected").click()


async def _columns(page: Page) -> None:
    await page.get_by_role("button", name="Columns").click()


async def _filter(page: Page) -> None:
    await page.get_by_role("button", name="Filter", exact=True).click()


async def _row_menu(page: Page) -> None:
    await page.get_by_role("button", name="Menu of brisk-otter").dispatch_event("click")


async def _hints(page: Page) -> None:
    await page.get_by_role("combobox").fill("status=")
    await page.get_by_role("option").first.wait_for()


async def _help(page: Page) -> None:
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()


async def _film(page: Page) -> None:
    await page.get_by_role("button", name="Enlarge weights of brisk-otter").first.click()
    await page.locator(".viewer-box img").first.wait_for()


async def _new_token(page: Page) -> None:
    await page.locator("tr", has_text="cluster-a").get_by_text("Delete", exact=True).click()


STATES: Final[tuple[tuple[str, State], ...]] = (
    ("?layout=table&select=1,2&baseline=3&delta=1&sort=step", as_it_is),
    ("?rows=flat&select=1,2", _chosen),
    ("?rows=flat&layout=table", _columns),
    ("?rows=flat&layout=table", _filter),
    ("?rows=flat&layout=table", _row_menu),
    ("?rows=flat&layout=table", _hints),
    ("?layout=table&q=nothing+of+the+kind", as_it_is),
    ("?layout=plots&select=1,2,3", as_it_is),
    ("?layout=plots&select=1,2&full=train%2Floss", as_it_is),
    ("?layout=plots&select=1", _film),
    ("experiments/1", as_it_is),
    ("experiments/4", as_it_is),
    ("compare?id=1&id=2&id=3", as_it_is),
    ("compare", as_it_is),
    ("projects", as_it_is),
    ("settings", _help),
    ("settings", as_it_is),
    ("tokens", _new_token),
)
PAGES: Final = ("?select=1,2", "?layout=plots&select=1,2", *sorted({path for path, _ in STATES if "?" not in path}))


async def serious(tab: Tab, where: str, options: Json) -> list[str]:
    """Tell what axe finds that keeps people from using a page."""
    await until(tab, SETTLED)
    found = await Axe().run(tab.page, options=options)
    return [
        f"{where}: {one['id']} at {node['target']}: {node['failureSummary']}"
        for one in found.response["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:3]
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(tab: Tab, scheme: Json) -> None:
    await tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # what is no matter of colours is the same in the dark
    options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
    found: list[str] = []
    for path, state in STATES:
        await tab.open(path)
        await until(tab, SETTLED)
        await state(tab.page)
        found += await serious(tab, f"{path} {state.__name__}", options)
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_where_nothing_is_yet(
    context: BrowserContext, tmp_path: Path, scheme: Json
) -> None:
    async with open_studio(tmp_path / "data") as empty:
        tab = await new_tab(context, empty, signed_in=False)
        await tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        options = {"resultTypes": ["violations"]}
        await tab.open("sign-in")
        found = await serious(tab, "sign-in", options)
        code = empty.services.keeper.new_sign_in_code()
        await tab.page.goto(f"{empty.url}/sign-in?code={code}")
        for path in ("", "?layout=plots", "projects", "compare", "tokens"):
            await tab.open(path)
            found += await serious(tab, f"empty {path}", options)
        await tab.page.close()
        assert found == []
        assert not tab.troubles


async def test_eight_hundred_pixels_are_enough(tab: Tab) -> None:
    await tab.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    found: Json = {}
    for path in PAGES:
        await tab.open(path)
        await until(tab, SETTLED)
        said = await tab.page.evaluate(_REACHABLE)
        if said["lost"] or said["wide"]:
            found[path] = said
    assert found == {}
