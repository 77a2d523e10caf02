"""How many bytes does a browser that has nothing yet load for the table and for the plots?

Bytes as they came, compressed; the heads of the answers are a column of their own and part of ``on the wire``. What the
API answers is counted apart, for it grows with the experiments: here 20 runs of 20 metrics. ``with Vega`` shows a plot
of an own shape, which is the only page that loads that library. ``again`` is a second visit, which finds everything
that has a version in its cache.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from playwright.async_api import Browser

from benchmarks.browser import Opened, browsing, signed_in, window
from benchmarks.harness import Cell, Options, Report, run, scratch
from benchmarks.studio import Studio, connected, data_body, envelope, running, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
BOUND_KB: Final = 200.0
RUNS: Final = 20
SERIES: Final = 20
PAGES: Final = {
    "table": "?layout=table",
    "plots": "?layout=plots&select=1,2",
    "table and plots": "?select=1,2",
    "with Vega": f"?layout=plots&select={RUNS + 1}",
}
KINDS: Final = ("page", "styles", "modules", "libraries", "API")
FOREIGN: Final = "elsewhere"
QUIET_S: Final = 2.0


class Loaded(msgspec.Struct):
    """What one page loaded, by kind: requests, bytes of bodies, and of the heads of answers other than the API's."""

    requests: dict[str, int]
    sizes: dict[str, int]
    heads: int = 0

    @property
    def bodies_kb(self) -> float:
        """All bodies but those of the API."""
        return sum(size for kind, size in self.sizes.items() if kind != "API") / 1e3

    @property
    def wire_kb(self) -> float:
        """The same with their heads."""
        return self.bodies_kb + self.heads / 1e3


async def fill(studio: Studio) -> None:
    """Send runs, and one with a plot of an own shape."""
    dice = random.Random(7)
    rows = [{"actual": "cat", "predicted": dice.choice(["cat", "dog"])} for _ in range(100)]
    props = {"template": "confusion", "x": "actual", "y": "predicted"}
    plots = {"dvclive/plots/sklearn/confusion.json": {"data": rows, "props": props}}
    async with connected(studio) as client:
        for number in range(RUNS):
            await client.post(start_body(f"run-{number}"))
            await client.post(data_body(f"run-{number}", 0, 200, SERIES, dice))
        await client.post(msgspec.json.encode(envelope("shapes", step=0, plots=plots)))
    await studio.applied()


def kind_of(url: str, origin: str) -> str:
    """Tell what an address is."""
    if url.startswith(("data:", "blob:")):
        return "page"
    if not url.startswith(origin):
        return FOREIGN
    path = urlsplit(url).path
    if path.startswith("/api/"):
        return "API"
    if "/vendor/" in path and path.endswith(".js"):
        return "libraries"
    return "modules" if path.endswith(".js") else "styles" if path.endswith(".css") else "page"


def listening(opened: Opened) -> Callable[[], Loaded]:
    """Count from now on; give what tells the sum."""
    kinds: dict[str, str] = {}
    heads: dict[str, int] = {}
    loaded = Loaded({}, {})

    def began(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = kind_of(event["request"]["url"], opened.url)

    def answered(event: dict[str, Any]) -> None:
        heads[event["requestId"]] = int(event["response"]["encodedDataLength"])

    def came(event: dict[str, Any]) -> None:
        size, kind = int(event["encodedDataLength"]), kinds.get(event["requestId"])
        if kind is None or not size:
            return
        head = min(heads.get(event["requestId"], 0), size)
        loaded.requests[kind] = loaded.requests.get(kind, 0) + 1
        loaded.sizes[kind] = loaded.sizes.get(kind, 0) + size - head
        loaded.heads += head if kind != "API" else 0

    listeners = {"requestWillBeSent": began, "responseReceived": answered, "loadingFinished": came}
    for name, listener in listeners.items():
        opened.devtools.on(f"Network.{name}", listener)

    def stop() -> Loaded:
        for name, listener in listeners.items():
            opened.devtools.remove_listener(f"Network.{name}", listener)
        return loaded

    return stop


async def visit(opened: Opened, path: str) -> Loaded:
    """Open a page and wait until it loads nothing more; its stream stays open."""
    stop = listening(opened)
    await opened.open(path, wait_until="load")
    if "plots" in path or "select" in path:
        await opened.drawn("document.querySelector('.plots canvas, .plots svg.marks, .template-card canvas') !== null")
    else:
        await opened.drawn("document.querySelector('.line.experiment') !== null")
    await asyncio.sleep(QUIET_S)
    return stop()


async def look(browser: Browser, studio: Studio) -> dict[str, Loaded]:
    """Open each page in a window that has nothing, and then once more."""
    found = {}
    for name, path in PAGES.items():
        async with window(browser) as context:
            opened = await signed_in(browser, context, studio)
            await opened.devtools.send("Network.enable")
            await opened.devtools.send("Network.clearBrowserCache")
            found[name] = await visit(opened, path)
            found[f"{name}, again"] = await visit(opened, path)
            if opened.troubles:
                raise RuntimeError(f"the console: {opened.troubles[:3]}")
    return found


async def opened_all(studio: Studio) -> dict[str, Loaded]:
    await fill(studio)
    async with browsing() as browser:
        return await look(browser, studio)


def measure(options: Options, report: Report) -> None:
    del options  # bytes are the same each time
    with scratch() as folder, running(folder / "data") as studio:
        found = asyncio.run(opened_all(studio))
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            *(round(one.sizes.get(kind, 0) / 1e3, 1) for kind in KINDS),
            round(one.bodies_kb, 1),
            round(one.heads / 1e3, 1),
            round(one.wire_kb, 1),
            sum(one.requests.values()),
        )
        for name, one in found.items()
    ]
    columns = ("", *KINDS, "bodies but the API's", "their heads", "on the wire", "requests")
    report.table("kB", columns, rows)
    for name in ("table", "plots", "table and plots"):
        report.at_most(f"{name}, bodies, kB", found[name].bodies_kb, BOUND_KB)
        report.at_most(f"{name}, on the wire, kB", found[name].wire_kb, BOUND_KB)
    report.at_most("requests to elsewhere", sum(one.requests.get(FOREIGN, 0) for one in found.values()), 0)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
