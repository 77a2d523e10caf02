"""What stands between a browser and a Studio: a path prefix, a proxy that holds streams back, and its own end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest_asyncio
from acceptance_stage import METRICS, cell, column_of, emit, forgive, names
from browser_stage import Tab, new_tab
from media_stage import until
from playwright.async_api import BrowserContext, expect
from proxy_stage import PREFIX, Proxy, proxied
from studio_stage import OpenStudio, eventually, open_studio

from livestream.studio.auth.keeper import sign_in_link

ACC: Final = f"metrics[{METRICS}].eval.acc"


class Behind:
    """A tab that is signed in to a Studio behind a proxy."""

    def __init__(self, tab: Tab, studio: OpenStudio, proxy: Proxy) -> None:
        self.tab = tab
        self.page = tab.page
        self.client = studio.client
        self.studio = studio
        self.proxy = proxy

    async def sign_in(self) -> None:
        await self.page.goto(sign_in_link(self.proxy.url, self.studio.services.keeper.new_sign_in_code()))
        await self.page.goto(f"{self.proxy.url}/?layout=table&rows=flat")

    async def is_connected(self, how: str) -> None:
        await expect(self.page.locator(f".connection.{how}")).to_have_count(1)


@pytest_asyncio.fixture(loop_scope="session")
async def behind(context: BrowserContext, tmp_path: Path) -> AsyncIterator[Behind]:
    async with proxied() as proxy, open_studio(tmp_path / "data", public_url=proxy.url) as studio:
        proxy.target = f"http://127.0.0.1:{studio.client.url.rpartition(':')[2]}"
        tab = await new_tab(context, studio, signed_in=False)
        yield Behind(tab, studio, proxy)
        await tab.page.close()
        assert not tab.troubles


async def test_everything_works_below_a_prefix(behind: Behind) -> None:
    page, client = behind.page, behind.client
    await emit(client, "one", 0.5)
    await behind.sign_in()
    await expect(names(page)).to_have_text(["one"])
    await behind.is_connected("live")
    await emit(client, "one", 0.75, step=2)
    await expect(cell(page, "one", await column_of(page, ACC))).to_contain_text("0.75")
    await emit(client, "two", 0.25)
    await expect(names(page)).to_have_text(["two", "one"])

    await page.get_by_role("link", name="two").click()
    await page.wait_for_url(f"**{PREFIX}/experiments/2")
    await expect(page.get_by_role("heading", name="two")).to_be_visible()
    await page.reload()  # two folders down
    await expect(page.get_by_role("heading", name="two")).to_be_visible()
    for name, path in (("Projects", "projects"), ("Settings", "settings"), ("Tokens", "tokens"), ("Experiments", "")):
        await page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        await page.wait_for_url(re.compile(rf"{PREFIX}/{path}(\?.*)?$"))
        await expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
    await page.goto(f"{behind.proxy.url}/compare?id=1&id=2")
    await expect(page.get_by_role("heading", name="Compare 2 experiments")).to_be_visible()
    await until(behind.tab, "() => document.querySelector('.plot-card canvas') !== null")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"**{PREFIX}/sign-in")
    assert [path for path in behind.proxy.asked if not path.startswith(f"{PREFIX}/")] == []
    assert sum("static" in path for path in behind.proxy.asked) > 10


async def test_a_proxy_that_holds_streams_back_is_polled_past(behind: Behind) -> None:
    page, client = behind.page, behind.client
    behind.proxy.how = "swallowing"
    await page.clock.install()
    await emit(client, "one", 0.5)
    await behind.sign_in()
    await expect(names(page)).to_have_text(["one"])
    await behind.is_connected("connecting")
    await eventually(lambda: any("api/feed" in path for path in behind.proxy.asked))
    await page.clock.fast_forward(9_000)
    await emit(client, "two", 0.25)
    await expect(names(page)).to_have_text(["two", "one"])
    await behind.is_connected("polling")
    await emit(client, "one", 0.75, step=2)
    await expect(cell(page, "one", await column_of(page, ACC))).to_contain_text("0.75")


async def test_a_proxy_that_loses_its_studio_says_so_and_misses_nothing(behind: Behind) -> None:
    page, client = behind.page, behind.client
    await page.clock.install()
    await emit(client, "one", 0.5)
    await behind.sign_in()
    await expect(names(page)).to_have_text(["one"])
    await behind.is_connected("live")
    behind.proxy.go_down()
    await behind.is_connected("lost")
    await emit(client, "one", 0.75, step=2)
    await emit(client, "two", 0.25)
    await expect(names(page)).to_have_text(["one"])
    behind.proxy.how = "whole"
    await page.clock.fast_forward(4_000)
    await behind.is_connected("live")
    await expect(names(page)).to_have_text(["two", "one"])
    await expect(cell(page, "one", await column_of(page, ACC))).to_contain_text("0.75")
    forgive(behind.tab, "502", "ERR_")


async def test_a_studio_that_starts_anew_is_followed_again_with_nothing_missed(
    context: BrowserContext, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with open_studio(data) as studio:
        port = int(studio.url.rpartition(":")[2])
        tab = await new_tab(context, studio)
        page = tab.page
        for step in range(1, 4):
            await emit(studio.client, "one", step / 4, step)
        await tab.open("?rows=flat")
        await expect(names(page)).to_have_text(["one"])
        await expect(page.locator(".connection.live")).to_have_count(1)
        await expect(page.locator(".plot-card .plot-value")).to_have_text("0.75")
    await expect(page.locator(".connection.lost")).to_have_count(1)
    await expect(page.get_by_role("status").filter(has_text="does not answer")).to_have_count(1)
    await expect(names(page)).to_have_text(["one"])  # what is here stays
    async with open_studio(data, port=port) as studio:
        await emit(studio.client, "one", 0.9375, step=4)
        await emit(studio.client, "two", 0.25)
        await expect(page.locator(".connection.live")).to_have_count(1)
        await expect(names(page)).to_have_text(["two", "one"])
        await expect(cell(page, "one", await column_of(page, ACC))).to_contain_text("0.9375")
        await emit(studio.client, "one", 0.5, step=5)
        await expect(cell(page, "one", await column_of(page, ACC))).to_contain_text("0.5")
        await page.close()
    forgive(tab, "ERR_")
    assert not tab.troubles
