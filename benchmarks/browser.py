"""Chromium before a Studio to measure, and what is read of it.

Theory. A page has drawn something when a frame that has it has been handed over: a `requestAnimationFrame` sees what
was there when the frame began, and a message that it posts comes when the frame's work is done. So a moment is
"drawn" at the first message after the first frame in which the thing is there. Watching costs one look a frame.

Without a graphics card the browser draws with the processor, beside the Studio and whatever else the machine does:
times by the clock are upper bounds of what people see. So what it took of the processor stands beside them: of the
page's main thread, where scripts, styles and layout are, and of all of the browser's processes, which make pixels too.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Final

import msgspec
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright

from benchmarks.studio import Studio
from livestream.studio.auth.keeper import Keeper, sign_in_link
from livestream.studio.clock import now_us

CHROMIUMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--js-flags=--expose-gc")
SIZE: Final = (1440, 900)
PATIENCE_MS: Final = 60_000

WATCH: Final = """
window.whenDrawn = (isThere) => new Promise((done) => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now());
  const look = () => (isThere() ? channel.port2.postMessage(0) : requestAnimationFrame(look));
  requestAnimationFrame(look);
});
window.scrolled = (element, downPx, acrossPx, frames) => new Promise((done) => {
  const lengths = [];
  let before = null;
  const step = (now) => {
    if (before !== null) lengths.push(now - before);
    before = now;
    if (lengths.length === frames) return done(lengths);
    element.scrollTop += downPx;
    element.scrollLeft += acrossPx;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
});
"""
"""`whenDrawn`: milliseconds since the navigation began. `scrolled`: milliseconds between frames, moved at each."""

INK: Final = """(canvas, colour) => {
  const context = canvas?.getContext("2d");
  if (!context || !canvas.width) return 0;
  const brush = new OffscreenCanvas(1, 1).getContext("2d");
  if (colour !== null) brush.fillStyle = colour;
  brush.fillRect(0, 0, 1, 1);
  const wanted = brush.getImageData(0, 0, 1, 1).data;
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, alpha] = data.subarray(at, at + 4);
    if (alpha < 100) continue;
    const away = Math.abs(red - wanted[0]) + Math.abs(green - wanted[1]) + Math.abs(blue - wanted[2]);
    if (colour === null ? Math.max(red, green, blue) - Math.min(red, green, blue) > 60 : away < 90) count += 1;
  }
  return count;
}"""
"""How many pixels of a canvas have about a colour; null: any colour, axes and grid are grey."""


class Usage(msgspec.Struct, frozen=True):
    """What a tab has taken and holds.

    Attributes:
        at_s: When this was read.
        main_s: Processor time of the page's main thread; script, layout and style are parts of it.
        browser_s: Processor time of all of the browser's processes.
    """

    at_s: float
    main_s: float
    script_s: float
    layout_s: float
    style_s: float
    browser_s: float
    heap_mb: float
    nodes: int
    listeners: int

    def main_since(self, before: Usage) -> float:
        """Seconds of the main thread since an earlier reading; a navigation between them began to count anew."""
        return self.main_s - before.main_s if self.main_s >= before.main_s else self.main_s


class Opened:
    """A tab that is signed in.

    Attributes:
        troubles: Errors of its console; must be empty.
    """

    def __init__(self, page: Page, devtools: CDPSession, whole: CDPSession, url: str) -> None:
        self.page = page
        self.devtools = devtools
        self._whole = whole
        self.url = url
        self.troubles: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))

    async def open(self, path: str = "", *, wait_until: str = "commit") -> None:
        """Go to a page of the Studio; gives back as soon as its answer is there."""
        await self.page.goto(self.url + path, wait_until=wait_until)  # type: ignore[arg-type]

    async def drawn(self, condition: str) -> float:
        """Wait until a condition, JavaScript, holds in a drawn frame; milliseconds since the navigation began."""
        found: float = await self.page.evaluate(f"whenDrawn(() => {condition})")
        return found

    async def usage(self, *, clean: bool = False) -> Usage:
        """Read what it has taken. ``clean``: collect garbage first."""
        if clean:
            for _ in range(2):
                await self.devtools.send("HeapProfiler.collectGarbage")
        told = await self.devtools.send("Performance.getMetrics")
        processes = await self._whole.send("SystemInfo.getProcessInfo")
        found = {one["name"]: one["value"] for one in told["metrics"]}
        return Usage(
            time.perf_counter(),
            found["TaskDuration"],
            found["ScriptDuration"],
            found["LayoutDuration"],
            found["RecalcStyleDuration"],
            sum(one["cpuTime"] for one in processes["processInfo"]),
            found["JSHeapUsedSize"] / 1e6,
            int(found["Nodes"]),
            int(found["JSEventListeners"]),
        )


def chromium_path() -> str:
    """Find a Chromium of this machine.

    Raises:
        SystemExit: There is none.
    """
    found = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    return found


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Start Chromium without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, size: tuple[int, int] = SIZE) -> AsyncIterator[BrowserContext]:
    """Open a window with nothing in its cache, and motion as most people have it."""
    width, height = size
    context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="no-preference")
    await context.add_init_script(WATCH)
    try:
        yield context
    finally:
        await context.close()


async def signed_in(browser: Browser, context: BrowserContext, studio: Studio) -> Opened:
    """Open a tab that is signed in, on a page without the application: nothing of it is in the cache yet."""
    url = f"http://127.0.0.1:{studio.port}/"
    with closing(Keeper(studio.data, now_us)) as keeper:
        code = keeper.new_sign_in_code()
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    opened = Opened(page, devtools, await browser.new_browser_cdp_session(), url)
    await page.goto(f"{sign_in_link(url, code)}&next=/tokens")
    return opened
