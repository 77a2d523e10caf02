"""One Chromium a session, a Studio and a tab a test.

Everything runs in one event loop a session: a browser's connection belongs to the loop in which it was made.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browser_stage import WIDE, Tab, chromium_path, new_tab, open_browser
from playwright.async_api import Browser, BrowserContext
from studio_stage import OpenStudio, open_studio

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder in the session's loop: they share one browser."""
    for item in items:
        if HERE in item.path.parents and inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start the browser of the machine."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    async with open_browser(path) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def studio(tmp_path: Path) -> AsyncIterator[OpenStudio]:
    """Open a whole Studio in this process."""
    async with open_studio(tmp_path / "data") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Open a window of its own, with no cookie and nothing remembered."""
    width, height = WIDE
    context = await browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="no-preference", color_scheme="light"
    )
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(context: BrowserContext, studio: OpenStudio) -> AsyncIterator[Tab]:
    """Sign in; at the end nothing may stand against the page."""
    tab = await new_tab(context, studio)
    yield tab
    assert not tab.troubles


@pytest_asyncio.fixture(loop_scope="session")
async def modules(context: BrowserContext, studio: OpenStudio) -> AsyncIterator[Tab]:
    """Give a tab in which modules of the app are called without the app (``Tab.run``)."""
    tab = await new_tab(context, studio, signed_in=False)
    yield tab
    assert not tab.troubles
