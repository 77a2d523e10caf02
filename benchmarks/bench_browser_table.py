"""How soon does a browser show 1,500 experiments x 200 columns, and how smoothly do they scroll?

``first rows``: from the start of the navigation, that is, from the click on a link to the Studio, to the first frame
with rows of the table. ``all``: until the table has all 1,500. ``cold``: nothing in the browser's cache, as at the very
first visit and after an upgrade; ``warm``: modules and styles are there, as at each later visit; the rows are always
asked for. ``in the app``: from a click on "Experiments" on another page of the same tab, where the rows are known.

A frame of a scroll is the time from one to the next, while each moves the table: down by ten lines in three frames,
across by half a column; ``rows of 1,500`` beside ``rows of 40`` shows whether the size of the table matters.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from typing import Final

import msgspec
from playwright.async_api import Browser

from benchmarks.browser import Opened, browsing, signed_in, window
from benchmarks.harness import Cell, Figure, Options, Report, figure, quantile, run, scratch
from benchmarks.studio import Studio, connected, envelope, running
from livestream.events import JsonObject

QUESTION: Final = str(__doc__).partition("\n")[0]
EXPERIMENTS: Final = 1_500
FEW: Final = 40
COLUMNS: Final = 200
FRAMES: Final = 240
QUICK_FRAMES: Final = 60
FIRST_BOUND_MS: Final = 300.0
FRAME_BOUND_MS: Final = 50.0
DIRECTIONS: Final = {"down": (107, 0), "across": (0, 60), "both": (107, 60), "a page a frame": (700, 0)}
"""Pixels a frame."""

_ROWS: Final = "document.querySelector('.line.experiment') !== null"
_ALL: Final = "Number(document.querySelector('.data-grid')?.getAttribute('aria-rowcount')) >= {count}"


def body_of(number: int, dice: random.Random) -> bytes:
    """Give a run with 160 metrics and 40 params in 20 groups."""
    metrics: JsonObject = {}
    params: JsonObject = {}
    for group in range(COLUMNS // 10):
        metrics[f"group_{group:02}"] = {f"metric_{at}": dice.random() for at in range(8)}
        params[f"group_{group:02}"] = {f"param_{at}": round(dice.random(), 4) for at in range(2)}
    return msgspec.json.encode(
        envelope(
            f"run-{number:04}",
            step=number,
            metrics={"dvclive/metrics.json": {"data": metrics}},
            params={"params.yaml": params},
        )
    )


async def fill(studio: Studio, count: int) -> None:
    """Have experiments in a Studio."""
    dice = random.Random(7)
    async with connected(studio) as client:
        for number in range(count):
            await client.post(body_of(number, dice))
    await studio.applied()


class Visit(msgspec.Struct, frozen=True):
    """One visit: milliseconds from the start of the navigation, and of the main thread until all is there."""

    first_ms: float
    all_ms: float
    main_ms: float


async def visit(opened: Opened, count: int) -> Visit:
    """Open the table."""
    before = await opened.usage()
    await opened.open("?layout=table&rows=flat")
    first, whole = await asyncio.gather(opened.drawn(_ROWS), opened.drawn(_ALL.format(count=count)))
    return Visit(first, whole, (await opened.usage()).main_since(before) * 1e3)


async def again(opened: Opened) -> float:
    """Come back to the table from another page of the app; milliseconds from the click."""
    await opened.page.click(".bar nav a:nth-child(2)")
    await opened.page.wait_for_selector(".data-grid", state="detached")
    script = f"""async () => {{
      const began = performance.now();
      document.querySelector(".bar nav a").click();
      return await whenDrawn(() => {_ROWS}) - began;
    }}"""
    taken: float = await opened.page.evaluate(script)
    return taken


class Seen(msgspec.Struct, frozen=True):
    """A table of so many rows."""

    cold: list[Visit]
    warm: list[Visit]
    again_ms: list[float]
    frames_ms: dict[str, list[float]]
    main_ms: dict[str, float]


async def look(browser: Browser, count: int, rounds: int, frames: int) -> Seen:
    """Open and scroll a table of so many rows."""
    cold, warm, again_ms, lengths, main_ms = [], [], [], {}, {}
    with scratch() as folder, running(folder / "data") as studio:
        await fill(studio, count)
        for _ in range(rounds):
            async with window(browser) as context:
                opened = await signed_in(browser, context, studio)
                cold.append(await visit(opened, count))
        async with window(browser) as context:
            opened = await signed_in(browser, context, studio)
            for _ in range(rounds + 2):
                warm.append(await visit(opened, count))
                await asyncio.sleep(0.5)
            await asyncio.sleep(2)  # courses behind the numbers, and what else comes after the first look
            for name, (down_px, across_px) in DIRECTIONS.items():
                await opened.page.evaluate("Object.assign(document.querySelector('.data-grid'), { scrollTop: 0 })")
                before = await opened.usage()
                lengths[name] = await opened.page.evaluate(
                    f"scrolled(document.querySelector('.data-grid'), {down_px}, {across_px}, {frames})"
                )
                main_ms[name] = ((await opened.usage()).main_s - before.main_s) * 1e3 / frames
            again_ms = [await again(opened) for _ in range(rounds)]
            if opened.troubles:
                raise RuntimeError(f"the console: {opened.troubles[:3]}")
    return Seen(cold, warm[2:], again_ms, lengths, main_ms)  # the first visits fill the caches, of compiled code too


async def both(rounds: int, frames: int) -> dict[int, Seen]:
    async with browsing() as browser:
        return {count: await look(browser, count, rounds, frames) for count in (FEW, EXPERIMENTS)}


def measure(options: Options, report: Report) -> None:
    frames = QUICK_FRAMES if options.quick else FRAMES
    seen = asyncio.run(both(options.rounds, frames))
    visits: list[tuple[Cell | Figure, ...]] = [
        (
            f"{count:,} rows, {how}",
            figure([one.first_ms for one in visits]),
            figure([one.all_ms for one in visits]),
            figure([one.main_ms for one in visits]),
        )
        for count, one in seen.items()
        for how, visits in (("cold", one.cold), ("warm", one.warm))
    ]
    visits += [(f"{count:,} rows, in the app", figure(one.again_ms), None, None) for count, one in seen.items()]
    report.table("opened, ms", ("", "first rows", "all", "main thread"), visits)
    rows: list[tuple[Cell, ...]] = [
        (
            f"{count:,} rows, {name}",
            *(quantile(lengths, share) for share in (0.5, 0.95)),
            max(lengths),
            one.main_ms[name],
        )
        for count, one in seen.items()
        for name, lengths in one.frames_ms.items()
    ]
    columns = ("", "median", "p95", "most", "main thread, a frame")
    report.table(f"scrolled, ms a frame, {frames} frames", columns, rows)
    large = seen[EXPERIMENTS]
    first_ms = figure([one.first_ms for one in large.warm]).median
    report.at_most("first rows of 1,500 x 200, warm, ms", first_ms, FIRST_BOUND_MS)
    for name in ("down", "across", "both"):
        report.at_most(f"p95 of a frame, {name}, ms", quantile(large.frames_ms[name], 0.95), FRAME_BOUND_MS)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
