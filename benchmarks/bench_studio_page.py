"""How long does a page of 1,500 experiments x 200 columns take from a database of 50,000,000 points, warm and cold?

The database is written by the Studio's own writer, as trainings write it: 1,500 experiments, 8 at a time, each with 100
metrics, 100 params and 33 series of 1,010 steps; so what an experiment is told as lies between points of others. The
page is ``GET /api/experiments?limit=1500``, from the first byte asked to the last one read, some megabytes of JSON.

``cold``: the database's pages are dropped from the machine's cache (posix_fadvise), and a Studio is started that has
read nothing; MB read is what the disk then gave it. ``filtered`` compares a metric of every experiment and sorts by
another. ``a hundred rows`` are those of the middle, as a table that scrolls asks for them.

It takes 4 GB in the temporary folder and some minutes; ``--points`` makes it smaller, and ``--keep DIR`` keeps the
database there, or takes the one that is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from benchmarks.harness import Cell, Figure, Options, Report, figure, run, scratch
from benchmarks.studio import REPO_URL, REPOSITORY, START_MS, STEP_MS, Studio, connected, path_of, running
from livestream.events import JsonObject
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.database import NAME
from livestream.studio.store.sqlite.writer import open_writer
from livestream.studio.update import Delivery, Identity, Points, Update

QUESTION: Final = str(__doc__).partition("\n")[0]
EXPERIMENTS: Final = 1_500
AT_ONCE: Final = 8
COLUMNS: Final = 100
"""Of metrics, and as many of params."""
SERIES: Final = 33
STEPS: Final = 1_010
QUICK_STEPS: Final = 20
STEPS_A_BODY: Final = 101
WARM_BOUND_MS: Final = 100.0
COLD_BOUND_MS: Final = 500.0
METRICS: Final = "dvclive/metrics.json"

PAGES: Final = {
    "page": f"/api/experiments?limit={EXPERIMENTS}",
    "filtered": f"/api/experiments?limit={EXPERIMENTS}"
    f"&filter={quote('metrics.part_3.metric_003<0.5')}&sort={quote('-metrics.part_4.metric_004')}",
    "a hundred rows": f"/api/experiments?limit=100&offset={EXPERIMENTS // 2}",
}


def record(data: Path, steps: int) -> int:
    """Write the database; give how many points it has."""
    dice = random.Random(7)
    points = 0
    with closing(open_writer(data, Blobs(data))) as writer:
        for begin in range(0, EXPERIMENTS, AT_ONCE):
            together = range(begin, min(begin + AT_ONCE, EXPERIMENTS))
            writer.apply([_start(number, dice) for number in together])
            for first in range(0, steps, STEPS_A_BODY):
                count = min(STEPS_A_BODY, steps - first)
                applied = writer.apply([_data(number, first, count, dice) for number in together])
                points += applied.points_new
            writer.apply(
                [_delivery(number, steps, Update(kind="done", identity=_identity(number))) for number in together]
            )
    return points


def _identity(number: int) -> Identity:
    sha = f"{number // 10:040x}"  # ten experiments of a commit
    return Identity(repository=REPOSITORY, repo_url=REPO_URL, baseline_sha=sha, name=f"run-{number:04}")


def _delivery(number: int, step: int, update: Update) -> Delivery:
    time_us = (START_MS + number * 1_000_000 + step * STEP_MS) * 1_000
    return Delivery(update=update, received_us=time_us, digest=update.kind.encode())


def _start(number: int, dice: random.Random) -> Delivery:
    params: JsonObject = {f"part_{at % 7}": {} for at in range(COLUMNS)}
    for at in range(COLUMNS):
        params[f"part_{at % 7}"][f"param_{at:03}"] = round(dice.random(), 4) if at % 3 else f"choice {at}"
    update = Update(kind="start", identity=_identity(number), params={"params.yaml": params}, client="dvclive")
    return _delivery(number, 0, update)


def _data(number: int, first: int, count: int, dice: random.Random) -> Delivery:
    steps = list(range(first, first + count))
    times_ms = [START_MS + number * 1_000_000 + step * STEP_MS for step in steps]
    metrics: JsonObject = {f"part_{at % 7}": {} for at in range(COLUMNS)}
    for at in range(COLUMNS):
        metrics[f"part_{at % 7}"][f"metric_{at:03}"] = dice.random()
    points = [
        Points(
            path=path_of(f"part_{at % 7}/metric_{at:03}"),
            column=f"metric_{at:03}",
            steps=steps,
            values=[dice.random() for _ in steps],
            timestamps=times_ms,
        )
        for at in range(SERIES)
    ]
    update = Update(kind="data", identity=_identity(number), step=steps[-1], metrics={METRICS: metrics}, points=points)
    return _delivery(number, steps[-1], update)


def forget(data: Path) -> None:
    """Drop what the machine has in memory of the database."""
    for path in data.glob(f"{NAME}*"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


class Asked(msgspec.Struct, frozen=True):
    """One page: time, size, and what the disk gave for it."""

    ms: float
    megabytes: float
    read_mb: float
    rows: int


async def ask(studio: Studio, path: str) -> Asked:
    """Ask for a page."""
    async with connected(studio) as client:
        await client.get("/healthz")  # a reader is open; nobody waits for that twice
        read_mb = studio.read_mb
        began = time.perf_counter()
        status, content = await client.get(path)
        taken_ms = (time.perf_counter() - began) * 1e3
        if status != 200:
            raise RuntimeError(f"{path}: {status} {content.decode()}")
        rows = len(msgspec.json.decode(content)["experiments"])
        return Asked(taken_ms, len(content) / 1e6, studio.read_mb - read_mb, rows)


def cold(data: Path, path: str) -> Asked:
    """Ask a Studio that has just begun, of a database that is nowhere in memory."""
    forget(data)
    with running(data) as studio:
        forget(data)
        return asyncio.run(ask(studio, path))


def warm(studio: Studio, path: str, rounds: int) -> tuple[list[Asked], float]:
    """Ask again and again; give the pages, and the Studio's milliseconds of the processor for each."""
    asyncio.run(ask(studio, path))
    cpu_s = studio.cpu_s
    pages = [asyncio.run(ask(studio, path)) for _ in range(rounds)]
    return pages, (studio.cpu_s - cpu_s) * 1e3 / rounds


@contextmanager
def database(keep: Path | None, steps: int, report: Report) -> Iterator[Path]:
    """Give a data folder with the points."""
    with scratch() as folder:
        data = keep or folder
        if not (data / NAME).exists():
            data.mkdir(parents=True, exist_ok=True)
            began, cpu_s = time.perf_counter(), time.process_time()
            points = record(data, steps)
            taken_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
            report.note(f"{points:,} points written in {taken_s:.0f} s, {cpu_s:.0f} of the processor's")
        report.note(f"the database has {(data / NAME).stat().st_size / 1e6:,.0f} MB")
        yield data


def measure(options: Options, report: Report) -> None:
    steps = QUICK_STEPS if options.quick else STEPS
    if options.rest.points:
        steps = max(options.rest.points // (EXPERIMENTS * SERIES), 1)
    rounds = 2 if options.quick else options.rounds
    rows: list[tuple[Cell | Figure, ...]] = []
    medians: dict[str, tuple[float, float]] = {}
    with database(options.rest.keep, steps, report) as data:
        cold_pages = {name: [cold(data, path) for _ in range(min(rounds, 3))] for name, path in PAGES.items()}
        with running(data) as studio:
            warm_pages = {name: warm(studio, path, rounds * 3) for name, path in PAGES.items()}
            peak_mb = studio.peak_mb
    for name in PAGES:
        asked, cpu_ms = warm_pages[name]
        warm_ms = figure([page.ms for page in asked])
        cold_ms = figure([page.ms for page in cold_pages[name]])
        medians[name] = warm_ms.median, cold_ms.median
        read = figure([page.read_mb for page in cold_pages[name]])
        rows.append((name, asked[0].rows, round(asked[0].megabytes, 2), warm_ms, cpu_ms, cold_ms, read))
    report.table("pages", ("", "rows", "MB", "warm ms", "warm, cpu ms", "cold ms", "MB read, cold"), rows)
    report.note(f"the Studio's peak: {peak_mb:.0f} MB")
    report.at_most("a page of 1,500 x 200, warm, ms", medians["page"][0], WARM_BOUND_MS)
    report.at_most("a page of 1,500 x 200, cold, ms", medians["page"][1], COLD_BOUND_MS)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, metavar="N", help="so many, instead of 50,000,000")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the database here, or take it from here")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
