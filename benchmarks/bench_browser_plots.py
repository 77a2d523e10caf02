"""How soon are the first plots of a run with 1,000 metrics on the screen, and how smoothly do they scroll?

``first``: from the start of the navigation, modules cached, to the first frame with lines in a card; ``all in sight``:
until no card in sight waits. Scrolled are the plots: ``slowly``, 40 pixels a frame, as a wheel does, and ``fast``, a
screen a frame. ``1,000 metrics`` beside ``50`` shows whether their number matters; a card exists only near the sight.
``blank`` is how many of 100 looks during the scroll saw a card in sight without its canvas.
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
from benchmarks.studio import Studio, connected, data_body, running, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
METRICS: Final = (50, 1_000)
RUNS: Final = 5
STEPS: Final = 200
FRAMES: Final = 200
QUICK_FRAMES: Final = 60
FRAME_BOUND_MS: Final = 50.0
SPEEDS_PX: Final = {"slowly": 40, "fast": 700}

_SCROLLER: Final = """(() => {
  const scrolls = (one) => one.scrollHeight > one.clientHeight + 1 && getComputedStyle(one).overflowY !== "visible";
  let found = document.querySelector(".plots-main");
  while (found && !scrolls(found)) found = found.parentElement;
  return found ?? document.scrollingElement;
})()"""

_IN_SIGHT: Final = """[...document.querySelectorAll(".plot-card")].filter((card) => {
  const { top, bottom } = card.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
})"""
_FIRST: Final = "document.querySelector('.plot-card canvas') !== null"
_ALL: Final = f"{_IN_SIGHT}.length > 0 && {_IN_SIGHT}.every((card) => card.querySelector('canvas') !== null)"

_BLANK: Final = f"""async () => {{
  let [blank, all] = [0, 0];
  window.isScrolling = true;
  while (window.isScrolling) {{
    for (const card of {_IN_SIGHT}) [blank, all] = [blank + (card.querySelector("canvas") === null), all + 1];
    await new Promise((done) => setTimeout(done, 200));
  }}
  return all ? (100 * blank) / all : 0;
}}"""


class Seen(msgspec.Struct, frozen=True):
    """Runs with so many metrics: milliseconds; ``main``: what a frame took of the main thread."""

    first_ms: list[float]
    all_ms: list[float]
    frames_ms: dict[str, list[float]]
    main_ms: dict[str, float]
    blank: dict[str, float]


async def fill(studio: Studio, metrics: int) -> None:
    """Send some runs."""
    dice = random.Random(7)
    async with connected(studio) as client:
        for number in range(RUNS):
            await client.post(start_body(f"run-{number}"))
            await client.post(data_body(f"run-{number}", 0, STEPS, metrics, dice))
    await studio.applied()


async def scroll(opened: Opened, pixels: int, frames: int) -> tuple[list[float], float, float]:
    """Scroll; give the frames, the main thread's part of one, and how much was blank."""
    await opened.page.evaluate(f"{_SCROLLER}.scrollTop = 0")
    await asyncio.sleep(2)
    looking = asyncio.create_task(opened.page.evaluate(_BLANK))
    before = await opened.usage()
    lengths: list[float] = await opened.page.evaluate(f"scrolled({_SCROLLER}, {pixels}, 0, {frames})")
    main_s = (await opened.usage()).main_s - before.main_s
    await opened.page.evaluate("window.isScrolling = false")
    return lengths, main_s * 1e3 / len(lengths), await looking


async def look(browser: Browser, metrics: int, rounds: int, frames: int) -> Seen:
    """Open and scroll the plots of runs with so many metrics."""
    seen = Seen([], [], {}, {}, {})
    with scratch() as folder, running(folder / "data") as studio:
        await fill(studio, metrics)
        async with window(browser) as context:
            opened = await signed_in(browser, context, studio)
            for turn in range(rounds + 1):
                await opened.open("?layout=plots&rows=flat")
                first, whole = await asyncio.gather(opened.drawn(_FIRST), opened.drawn(_ALL))
                if turn:
                    seen.first_ms.append(first)
                    seen.all_ms.append(whole)
            for name, pixels in SPEEDS_PX.items():
                seen.frames_ms[name], seen.main_ms[name], seen.blank[name] = await scroll(opened, pixels, frames)
            if opened.troubles:
                raise RuntimeError(f"the console: {opened.troubles[:3]}")
    return seen


async def both(rounds: int, frames: int) -> dict[int, Seen]:
    async with browsing() as browser:
        return {metrics: await look(browser, metrics, rounds, frames) for metrics in METRICS}


def measure(options: Options, report: Report) -> None:
    frames = QUICK_FRAMES if options.quick else FRAMES
    seen = asyncio.run(both(options.rounds, frames))
    rows: list[tuple[Cell | Figure, ...]] = [
        (f"{metrics:,} metrics", figure(one.first_ms), figure(one.all_ms)) for metrics, one in seen.items()
    ]
    report.table("opened, ms", ("", "first", "all in sight"), rows)
    scrolls: list[tuple[Cell | Figure, ...]] = [
        (
            f"{metrics:,} metrics, {name}",
            *(quantile(lengths, share) for share in (0.5, 0.95)),
            max(lengths),
            one.main_ms[name],
            one.blank[name],
        )
        for metrics, one in seen.items()
        for name, lengths in one.frames_ms.items()
    ]
    columns = ("", "median", "p95", "most", "main thread, a frame", "blank %")
    report.table(f"scrolled, ms a frame, {frames} frames", columns, scrolls)
    slow = seen[METRICS[-1]].frames_ms["slowly"]
    report.at_most("p95 of a frame, 1,000 metrics, slowly, ms", quantile(slow, 0.95), FRAME_BOUND_MS)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
