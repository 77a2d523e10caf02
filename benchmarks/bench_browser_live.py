"""What do 20 live runs of 50 metrics at 1 Hz cost a page that shows them, and does it stay as small as it was?

Table and plots are both on the page, as at the first visit: numbers change and flash, lines grow. ``busy`` is the
processor time of the page's main thread a second; scripts, layout and styles are parts of it, the rest paints. The
browser's own is of all of its processes. ``still`` is the same page while nothing comes: what only stands there costs.
``nobody's`` is a page of the Studio without the application, so that what Chromium costs by itself is known.

Memory is read after a garbage collection: what is there then is held. The charts' rows grow with the runs until they
are put together again, so the first minute is where it settles; flat is told from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from benchmarks.browser import Opened, Usage, browsing, signed_in, window
from benchmarks.harness import Cell, Options, Report, run, scratch
from benchmarks.studio import Connection, Studio, data_body, running, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
RUNS: Final = 20
METRICS: Final = 50
MINUTES: Final = 10
BUSY_BOUND: Final = 0.30
GROWTH_BOUND: Final = 1.10
HISTORY: Final = 200
"""Steps that each run has before anybody looks."""


class Load(msgspec.Struct, frozen=True):
    """Seconds of the processor a second."""

    main: float
    script: float
    layout: float
    style: float
    browser: float


def load_between(before: Usage, after: Usage) -> Load:
    wall_s = after.at_s - before.at_s
    return Load(
        (after.main_s - before.main_s) / wall_s,
        (after.script_s - before.script_s) / wall_s,
        (after.layout_s - before.layout_s) / wall_s,
        (after.style_s - before.style_s) / wall_s,
        (after.browser_s - before.browser_s) / wall_s,
    )


async def train(client: Connection, number: int) -> None:
    """Post a step of all metrics each second until cancelled."""
    dice = random.Random(number)
    began = time.perf_counter() + number / RUNS
    step = HISTORY
    while True:
        await asyncio.sleep(max(began + step - HISTORY - time.perf_counter(), 0))
        await client.post(data_body(f"run-{number}", step, 1, METRICS, dice))
        step += 1


async def rest(opened: Opened, length_s: float) -> Load:
    """Tell what a page takes by itself."""
    await asyncio.sleep(2)
    before = await opened.usage()
    await asyncio.sleep(length_s)
    return load_between(before, await opened.usage())


class Seen(msgspec.Struct, frozen=True):
    """``turns``: at the end of each, the load since the last one, and what is held."""

    nobodys: Load
    still: Load
    turns: list[tuple[Load, Usage]]


async def watch(studio: Studio, turns: int, turn_s: float, rest_s: float) -> Seen:
    """Look at live runs for a while."""
    dice = random.Random(7)
    found: list[tuple[Load, Usage]] = []
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Connection(studio, number)) for number in range(RUNS)]
        for number, client in enumerate(clients):
            await client.post(start_body(f"run-{number}"))
            await client.post(data_body(f"run-{number}", 0, HISTORY, METRICS, dice))
        browser = await stack.enter_async_context(browsing())
        context = await stack.enter_async_context(window(browser))
        opened = await signed_in(browser, context, studio)
        nobodys = await rest(opened, rest_s)
        await opened.open()
        await opened.drawn("document.querySelectorAll('.plot-card canvas').length >= 3")
        still = await rest(opened, rest_s)
        tasks = [asyncio.create_task(train(client, number)) for number, client in enumerate(clients)]
        await asyncio.sleep(5)
        before = await opened.usage()
        for _ in range(turns):
            await asyncio.sleep(turn_s)
            busy = load_between(before, await opened.usage())
            before = await opened.usage(clean=True)
            found.append((busy, before))
        for task in tasks:
            task.cancel()
        if opened.troubles:
            raise RuntimeError(f"the console: {opened.troubles[:3]}")
    return Seen(nobodys, still, found)


def measure(options: Options, report: Report) -> None:
    turns, turn_s, rest_s = (4, 15.0, 5.0) if options.quick else (options.rest.minutes, 60.0, 20.0)
    with scratch() as folder, running(folder / "data", RUNS) as studio:
        seen = asyncio.run(watch(studio, turns, turn_s, rest_s))
        studio_mb = studio.peak_mb
    loads = [("nobody's", seen.nobodys), ("still", seen.still)]
    loads += [(f"{(turn + 1) * turn_s:g} s", busy) for turn, (busy, _) in enumerate(seen.turns)]
    rows: list[tuple[Cell, ...]] = [
        (name, *(100 * part for part in (one.main, one.script, one.layout, one.style, one.browser)))
        for name, one in loads
    ]
    report.table("% of a core", ("", "busy", "script", "layout", "style", "whole browser"), rows)
    held = [
        (f"{(turn + 1) * turn_s:g} s", round(one.heap_mb, 2), one.nodes, one.listeners)
        for turn, (_, one) in enumerate(seen.turns)
    ]
    report.table("held", ("after", "heap MB", "DOM nodes", "listeners"), held)
    report.note(f"the Studio's peak: {studio_mb:.0f} MB")
    first, last = seen.turns[0][1], seen.turns[-1][1]
    report.at_most("main thread, the busiest turn", max(busy.main for busy, _ in seen.turns), BUSY_BOUND)
    report.at_most("heap, the last turn x the first", last.heap_mb / first.heap_mb, GROWTH_BOUND)
    report.at_most("DOM nodes, the last turn x the first", last.nodes / first.nodes, GROWTH_BOUND)
    report.at_most("listeners, the last turn x the first", last.listeners / first.listeners, GROWTH_BOUND)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=MINUTES, metavar="N", help=f"instead of {MINUTES}")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
