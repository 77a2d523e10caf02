"""A real Chromium before a real Studio: what tests of the page are played with."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urljoin

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright
from studio_stage import OpenStudio

from livestream.events import Json
from livestream.studio.auth.keeper import sign_in_link

CHROMIUMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--font-render-hinting=none")
WIDE: Final = (1440, 900)
NARROW: Final = (800, 900)


def chromium_path() -> str | None:
    """Find a Chromium of this machine."""
    return next((found for name in CHROMIUMS if (found := shutil.which(name))), None)


@asynccontextmanager
async def open_browser(path: str) -> AsyncIterator[Browser]:
    """Start Chromium without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A page of a browser that is signed in.

    Attributes:
        page: Playwright's own; what it cannot do shortly is below.
        troubles: What the console said against the page, uncaught errors and breaches of the policy; must be empty at
            the end of a test.
    """

    def __init__(self, page: Page, studio: OpenStudio) -> None:
        self.page = page
        self.studio = studio
        self.troubles: list[str] = []
        page.set_default_timeout(15_000)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"uncaught: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    async def open(self, path: str = "") -> None:
        """Go to a page of the Studio, below its root."""
        await self.page.goto(urljoin(self.studio.url + "/", path))

    async def run(self, module: str, function: str, argument: Json = None) -> Json:
        """Call ``function``, JavaScript like ``(module, argument) => ...``, with a module of the app."""
        if not self.page.url.startswith(self.studio.url):
            await self.open("sign-in?again=1")
        script = f"async ([url, argument]) => ({function})(await import(url), argument)"
        return await self.page.evaluate(script, [f"{self.studio.url}/static/app/{module}", argument])


async def new_tab(context: BrowserContext, studio: OpenStudio, *, signed_in: bool = True) -> Tab:
    """Open a tab; signed in, it is on the first page."""
    tab = Tab(await context.new_page(), studio)
    if signed_in:
        code = studio.services.keeper.new_sign_in_code()
        await tab.page.goto(sign_in_link(studio.url, code))
    return tab
