"""How long does the chart of a series of 1,000,000 points take, all of it and any part, from the store and over HTTP?

Two series: ``dense``, where every step has one row, and ``resumed``, where steps are missing and a tenth has two rows,
as after a training that went on from a checkpoint. Parts begin and end anywhere, so not where roll-ups do. ``width`` is
how many steps share a bucket of the chart; ``finest`` is the smallest power of two that gives at most as many buckets
as were asked for. A wider one is chosen where the finest would take too long to put together.

The store's times are a reader's in a process of its own: of the processor, which other work on the machine lengthens
little, and by the clock. Over HTTP they are those of a client, JSON and all.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.harness import Cell, Figure, Options, Report, child, figure, quantile, run, scratch
from benchmarks.studio import REPO_URL, REPOSITORY, SHA, START_MS, STEP_MS, Studio, connected, path_of, running
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.reader import SqliteReader
from livestream.studio.store.sqlite.writer import open_writer
from livestream.studio.update import Delivery, Identity, Points, Update

QUESTION: Final = str(__doc__).partition("\n")[0]
STEPS: Final = 1_000_000
QUICK_STEPS: Final = 100_000
STEPS_A_BODY: Final = 5_000
BOUND_MS: Final = 10.0
POINTS: Final = (1_000, 2_000, 4_000)
PARTS: Final = {"all": (0.0, 1.0), "a tenth": (0.3123, 0.1), "a hundredth": (0.7117, 0.01), "the end": (0.95, 0.05)}
"""Where a part begins and how long it is, as shares of the steps."""
SERIES: Final = ("dense", "resumed")


class Case(msgspec.Struct, frozen=True):
    """A chart to draw."""

    series: str
    part: str
    points: int
    first: int
    last: int

    @property
    def finest(self) -> int:
        """The smallest width that gives at most so many buckets, of a series without gaps."""
        width = 1
        while (self.last // width) - (self.first // width) >= self.points:
            width *= 2
        return width


class Drawn(msgspec.Struct, frozen=True):
    """One chart, several times."""

    times_ms: list[float]
    cpu_ms: list[float]
    width: int
    buckets: int


def cases_of(steps: int) -> list[Case]:
    """Give all charts."""
    return [
        Case(series, part, points, int(begin * steps), int((begin + length) * steps) - 1)
        for series in SERIES
        for part, (begin, length) in PARTS.items()
        for points in POINTS
    ]


def record(data: Path, steps: int) -> None:
    """Store both series."""
    dice = random.Random(7)
    with closing(open_writer(data, Blobs(data))) as writer:
        for first in range(0, steps, STEPS_A_BODY):
            dense = list(range(first, min(first + STEPS_A_BODY, steps)))
            resumed = [step for step in dense if dice.random() < 0.9]
            resumed += [step for step in resumed if dice.random() < 0.1]
            points = [_points(name, numbers, dice) for name, numbers in zip(SERIES, (dense, resumed), strict=True)]
            identity = Identity(repository=REPOSITORY, repo_url=REPO_URL, baseline_sha=SHA, name="long")
            update = Update(kind="data", identity=identity, step=dense[-1], points=points)
            writer.apply([Delivery(update=update, received_us=(START_MS + dense[-1] * STEP_MS) * 1000, digest=b"")])


def _points(name: str, steps: list[int], dice: random.Random) -> Points:
    values = [dice.gauss(1.0, 0.1) for _ in steps]
    times_ms = [START_MS + step * STEP_MS for step in steps]
    return Points(path=path_of(name), column=name, steps=steps, values=list(values), timestamps=times_ms)


def read_here(data: str, steps: str, rounds: str) -> list[Drawn]:
    """Draw all charts from the store."""
    drawn = []
    with closing(SqliteReader(Path(data))) as reader:
        ids = {series.name: series.id for series in reader.series(1)}
        for case in cases_of(int(steps)):
            times_ms, cpu_ms = [], []
            for _ in range(int(rounds) + 1):
                began, cpu_s = time.perf_counter(), time.process_time()
                chart = reader.chart(ids[case.series], points=case.points, first_step=case.first, last_step=case.last)
                times_ms.append((time.perf_counter() - began) * 1e3)
                cpu_ms.append((time.process_time() - cpu_s) * 1e3)
            drawn.append(Drawn(times_ms[1:], cpu_ms[1:], chart.width, len(chart.steps)))
    return drawn


async def ask(studio: Studio, steps: int, rounds: int) -> list[list[float]]:
    """Draw all charts over HTTP; give the milliseconds."""
    found = []
    async with connected(studio) as client:
        ids = {series["name"]: series["id"] for series in (await client.json("/api/experiments/1/series"))["series"]}
        for case in cases_of(steps):
            span = f"points={case.points}&from={case.first}&to={case.last}"
            path = f"/api/experiments/1/series/{ids[case.series]}?{span}"
            times_ms = []
            for _ in range(rounds + 1):
                began = time.perf_counter()
                status, _ = await client.get(path)
                times_ms.append((time.perf_counter() - began) * 1e3)
                if status != 200:
                    raise RuntimeError(f"{path}: {status}")
            found.append(times_ms[1:])
    return found


def measure(options: Options, report: Report) -> None:
    steps = QUICK_STEPS if options.quick else STEPS
    rounds = 3 if options.quick else max(options.rounds, 10)
    with scratch() as data:
        record(data, steps)
        answer = child("bench_studio_charts", "--child", str(data), str(steps), str(rounds))
        drawn = msgspec.convert(answer, list[Drawn])
        with running(data) as studio:
            asked = asyncio.run(ask(studio, steps, rounds))
    rows: list[tuple[Cell | Figure, ...]] = []
    for case, chart, times_ms in zip(cases_of(steps), drawn, asked, strict=True):
        rows.append(
            (
                f"{case.series}, {case.part}",
                case.points,
                chart.buckets,
                chart.width,
                case.finest,
                figure(chart.cpu_ms),
                quantile(chart.times_ms, 0.5),
                quantile(times_ms, 0.5),
            )
        )
    columns = ("chart", "asked for", "buckets", "width", "finest", "cpu ms", "ms", "ms, HTTP")
    report.table(f"charts of {steps:,} steps", columns, rows)
    slowest = max(quantile(chart.cpu_ms, 0.5) for chart in drawn)
    report.at_most("the slowest chart, cpu ms (median)", slowest, BOUND_MS)


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        sys.stdout.buffer.write(msgspec.json.encode(read_here(*sys.argv[2:])))
        return 0
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
