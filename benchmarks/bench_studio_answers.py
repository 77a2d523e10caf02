"""How quickly does the Studio answer, when can what it answered be seen, and how much memory does it need meanwhile?

Bodies of 1 KB and 1 MB from 50 clients that post without a pause, so that the Studio is as busy as it can be, and of
29 MB, the most that stock clients send, from 4; stock clients give up after 5 s. ``at ease`` is 1 KB from 50 clients
that post 4 times a second each, as trainings do.

Small bodies can be read once they are answered; large ones are safe then, and applied behind it. So ``visible`` is the
time from the first byte of the post until the feed tells of the last step, at a viewer who follows all experiments. An
answer and the feed's event are seen by one process, which takes its part of the machine; the peak is the kernel's.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from benchmarks.harness import Cell, Figure, Options, Report, figure, quantile, run, scratch
from benchmarks.studio import Connection, Studio, connected, data_body, read_news, running, series_for, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
KB: Final = 1_000
MB: Final = 1_000_000
BOUND_S: Final = 2.0
PEAK_BOUND_MB: Final = 512.0
SEEN_TIMEOUT_S: Final = 300.0


class Load(msgspec.Struct, frozen=True):
    """Who posts what. ``pause_s`` is between the beginnings of a client's posts; 0: none."""

    clients: int
    size: int
    bodies: int
    bound_s: float
    pause_s: float = 0.0


LOADS: Final = {
    "1 KB x 50, at ease": Load(50, KB, 40, BOUND_S, pause_s=0.25),
    "1 KB x 50": Load(50, KB, 100, BOUND_S),
    "1 MB x 50": Load(50, MB, 4, BOUND_S),
    "29 MB x 4": Load(4, 29 * MB - 200 * KB, 2, BOUND_S),
}
QUICK_LOADS: Final = {
    "1 KB x 50, at ease": Load(50, KB, 4, BOUND_S, pause_s=0.25),
    "1 KB x 50": Load(50, KB, 10, BOUND_S),
    "1 MB x 50": Load(50, MB, 1, BOUND_S),
    "29 MB x 4": Load(4, 29 * MB - 200 * KB, 1, BOUND_S),
}


class Seen(msgspec.Struct, frozen=True):
    """One load: seconds until each answer, and until each could be seen; the Studio's peak and processor time."""

    answers_s: list[float]
    visible_s: list[float]
    peak_mb: float
    cpu_s: float
    wall_s: float
    megabytes: float


class Watch:
    """What a viewer of the feed has seen: when each step of each experiment first was there."""

    def __init__(self) -> None:
        self._at_s: dict[int, list[tuple[int, float]]] = {}
        self._news = asyncio.Event()

    async def follow(self, connection: Connection, following: asyncio.Event) -> None:
        """Read the feed until cancelled."""
        async for told in connection.events("/api/feed"):
            now_s = time.perf_counter()
            following.set()
            for news in map(read_news, told):
                if news.experiment is not None and news.step is not None:
                    self._at_s.setdefault(news.experiment, []).append((news.step, now_s))
                    self._news.set()

    async def saw(self, experiment: int, step: int) -> float:
        """Wait until a step of an experiment, or a later one, was seen; give when."""
        async with asyncio.timeout(SEEN_TIMEOUT_S):
            while True:
                self._news.clear()
                for seen, at_s in self._at_s.get(experiment, ()):
                    if seen >= step:
                        return at_s
                await self._news.wait()


async def watch(studio: Studio, load: Load) -> Seen:
    """Post, and follow the feed meanwhile."""
    dice = random.Random(7)
    steps, series = series_for(load.size)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Connection(studio, number)) for number in range(load.clients)]
        for number, client in enumerate(clients):
            await client.post(start_body(f"run-{number}"))
        ids = await _ids(studio)
        viewer, following = Watch(), asyncio.Event()
        task = asyncio.create_task(viewer.follow(await stack.enter_async_context(Connection(studio)), following))
        await following.wait()
        shared = [data_body("run-#", at * steps, steps, series, dice) for at in range(load.bodies)]
        cpu_s, began = studio.cpu_s, time.perf_counter()
        lasts = [(at + 1) * steps - 1 for at in range(load.bodies)]
        posts = [
            _post(client, shared, number, load.pause_s * number / load.clients, load.pause_s)
            for number, client in enumerate(clients)
        ]
        found = await asyncio.gather(*posts)
        wall_s = time.perf_counter() - began
        visible = [
            await viewer.saw(ids[f"run-{number}"], lasts[at]) - begin_s
            for number, answers in enumerate(found)
            for at, (begin_s, _) in enumerate(answers)
        ]
        await studio.applied()
        cpu_s = studio.cpu_s - cpu_s
        task.cancel()
    return Seen(
        [end_s - begin_s for answers in found for begin_s, end_s in answers],
        visible,
        studio.peak_mb,
        cpu_s,
        wall_s,
        sum(map(len, shared)) * load.clients / MB,
    )


async def _ids(studio: Studio) -> dict[str, int]:
    async with connected(studio) as connection:
        page = await connection.json("/api/experiments?limit=1000")
    return {experiment["name"]: experiment["id"] for experiment in page["experiments"]}


async def _post(
    client: Connection, shared: Sequence[bytes], number: int, delay_s: float, pause_s: float
) -> list[tuple[float, float]]:
    """Post the bodies as one training; give when each post began and was answered."""
    found = []
    at_s = time.perf_counter() + delay_s
    for body in shared:
        own = body.replace(b'"run-#"', b'"run-%d"' % number, 1)
        await asyncio.sleep(max(at_s - time.perf_counter(), 0))
        begin_s = time.perf_counter()
        await client.post(own)
        found.append((begin_s, time.perf_counter()))
        at_s = max(at_s + pause_s, time.perf_counter())
    return found


def seen_once(load: Load) -> Seen:
    """Watch a Studio of its own."""
    with scratch() as folder, running(folder / "data", load.clients) as studio:
        return asyncio.run(watch(studio, load))


def measure(options: Options, report: Report) -> None:
    loads = QUICK_LOADS if options.quick else LOADS
    rows: list[tuple[Cell | Figure, ...]] = []
    for name, load in loads.items():
        if options.rest.only not in name:
            continue
        rounds = [seen_once(load) for _ in range(1 if options.quick else min(options.rounds, 3))]
        answers = {share: figure([quantile(seen.answers_s, share) * 1e3 for seen in rounds]) for share in (0.5, 0.99)}
        visible = {share: figure([quantile(seen.visible_s, share) * 1e3 for seen in rounds]) for share in (0.5, 0.99)}
        peak = figure([seen.peak_mb for seen in rounds])
        speed = figure([seen.megabytes / seen.wall_s for seen in rounds])
        load_of = figure([seen.cpu_s / seen.wall_s for seen in rounds])
        rows.append((name, answers[0.5], answers[0.99], visible[0.5], visible[0.99], speed, load_of, peak))
        report.at_most(f"{name}: p99 answer, s", answers[0.99].median / 1e3, load.bound_s)
        report.at_most(f"{name}: peak MB", peak.median, PEAK_BOUND_MB)
    columns = ("bodies", "answer ms", "p99", "visible ms", "p99 ", "MB/s", "cores", "peak MB")
    report.table("answers", columns, rows)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", metavar="TEXT", help="only loads whose name has this text")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
