"""How soon after a click is the chart of a run of 1,000,000 points on the screen?

Runs of 1,000,000 and of 1,000 points, sent to the Studio as trainings send them. ``selected``: from the click on a
run's checkbox, while the plots of another run are shown, to the first frame with pixels of its colour in the chart.
``enlarged``: from the click on "Full screen", where the chart is asked for anew and finer. ``opened``: from the start
of the navigation to a page with the run's plot, modules cached. Each time nothing of the chart is in the browser.
``asked`` is the part of it that the request for the chart took, from asking to its last byte; ``main thread`` and
``Studio`` are what both took of the processor, other work on the machine or not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from playwright.async_api import Browser, BrowserContext

from benchmarks.browser import INK, Opened, browsing, signed_in, window
from benchmarks.harness import Cell, Figure, Options, Report, figure, run, scratch
from benchmarks.studio import Studio, connected, data_body, names_of, running, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
STEPS: Final = {"1,000 points": 1_000, "1,000,000 points": 1_000_000}
QUICK_STEPS: Final = {"1,000 points": 1_000, "1,000,000 points": 200_000}
STEPS_A_BODY: Final = 10_000
BOUND_MS: Final = 200.0
MANY_PIXELS: Final = 150
METRIC: Final = names_of(1)[0]

_CLICKED: Final = f"""async ([button, canvas, box]) => {{
  const ink = {INK};
  const colour = () => document.querySelector(box).closest(".line").style.getPropertyValue("--run");
  performance.clearResourceTimings();
  const began = performance.now();
  document.querySelector(button).click();
  const ended = await whenDrawn(() => ink(document.querySelector(canvas), colour()) > {MANY_PIXELS});
  const asked = performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/charts"));
  return [ended - began, asked.at(-1)?.duration ?? 0];
}}"""
"""Click, and wait for pixels in the colour of a run; milliseconds, and those of the last request for a chart."""


class Shown(msgspec.Struct, frozen=True):
    """One way to a chart: milliseconds in all, of the request, and of the processor: main thread's and Studio's."""

    ms: float
    asked_ms: float
    main_ms: float
    studio_ms: float


async def fill(studio: Studio, sizes: dict[str, int]) -> None:
    """Send the runs; the first one is what is shown before the click."""
    dice = random.Random(7)
    async with connected(studio) as client:
        for name, steps in {"other": 100, **sizes}.items():
            await client.post(start_body(name))
            for first in range(0, steps, STEPS_A_BODY):
                await client.post(data_body(name, first, min(STEPS_A_BODY, steps - first), 1, dice))
    await studio.applied()


async def timed(opened: Opened, studio: Studio, work: Callable[[], Awaitable[list[float]]]) -> Shown:
    """Do something that tells its time and its request's; tell what it took of the processor."""
    before, studio_s = await opened.usage(), studio.cpu_s
    taken_ms, asked_ms = await work()
    after = await opened.usage()
    return Shown(taken_ms, asked_ms, after.main_since(before) * 1e3, (studio.cpu_s - studio_s) * 1e3)


async def ways(browser: Browser, context: BrowserContext, studio: Studio, which: tuple[int, str]) -> dict[str, Shown]:
    """Select a run beside another one, then enlarge its chart, in a tab that knows neither."""
    experiment, name = which
    opened = await signed_in(browser, context, studio)
    await opened.open("?rows=flat&select=1")
    await opened.drawn("document.querySelector('.plot-card canvas') !== null")
    await asyncio.sleep(1)
    box = f'input[aria-label="Select {name}"]'
    clicks = {"selected": [box, ".plot-card canvas", box]}
    clicks["enlarged"] = ['.plot-card [title="Full screen"]', ".plot-full canvas", box]
    found = {}
    for way, click in clicks.items():
        found[way] = await timed(opened, studio, lambda click=click: opened.page.evaluate(_CLICKED, click))  # type: ignore[misc]
        await asyncio.sleep(0.5)
    if opened.troubles:
        raise RuntimeError(f"the console: {opened.troubles[:3]}")
    found["opened"] = await timed(opened, studio, lambda: arrived(opened, experiment))
    await opened.page.close()
    return found


async def arrived(opened: Opened, experiment: int) -> list[float]:
    """Open the page of a run's plots."""
    await opened.open(f"?layout=plots&select={experiment}")
    taken = await opened.drawn(f"({INK})(document.querySelector('.plot-card canvas'), null) > {MANY_PIXELS}")
    asked = await opened.page.evaluate(
        "performance.getEntriesByType('resource').findLast(({ name }) => name.includes('/api/charts')).duration"
    )
    return [taken, asked]


async def look(studio: Studio, sizes: dict[str, int], rounds: int) -> dict[str, list[dict[str, Shown]]]:
    """Let the runs take turns; the first turn, which fills the caches, is left out."""
    await fill(studio, sizes)
    found: dict[str, list[dict[str, Shown]]] = {name: [] for name in sizes}
    async with browsing() as browser, window(browser) as context:
        for turn in range(rounds + 1):
            for experiment, name in enumerate(sizes, start=2):
                shown = await ways(browser, context, studio, (experiment, name))
                if turn:
                    found[name].append(shown)
    return found


def measure(options: Options, report: Report) -> None:
    sizes = QUICK_STEPS if options.quick else STEPS
    with scratch() as folder, running(folder / "data") as studio:
        found = asyncio.run(look(studio, sizes, options.rounds))
    rows: list[tuple[Cell | Figure, ...]] = [
        (
            f"{name}, {way}",
            figure([one[way].ms for one in rounds]),
            *(figure([getattr(one[way], part) for one in rounds]) for part in ("asked_ms", "main_ms", "studio_ms")),
        )
        for way in ("selected", "enlarged", "opened")
        for name, rounds in found.items()
    ]
    report.table("from the click to drawn pixels, ms", ("", "drawn", "of it asked", "main thread", "Studio"), rows)
    for way in ("selected", "enlarged"):
        median = figure([one[way].ms for one in found["1,000,000 points"]]).median
        report.at_most(f"1,000,000 points {way}, ms", median, BOUND_MS)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
