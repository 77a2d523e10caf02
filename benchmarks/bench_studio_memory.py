"""Does the Studio's memory stay flat, whatever is asked of it and however long?

Each turn does everything once more to the same Studio: 20 trainings post on (steps, images, bodies of 1 MB, one of
29 MB), 50 new ones come and end, 50 viewers follow the feed for a while, pages, charts, series and images are read, and
an export of a whole experiment. What lies on the disk grows; what is in memory must not. The first turns fill caches
that have a bound (SQLite's of the writer and of four readers, and what the writer remembers of experiments: some
200 MB in all); so the last turn is held to one in the middle. The peak is the kernel's, over all of it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final

import msgspec

from benchmarks.harness import Cell, Figure, Options, Report, run, scratch
from benchmarks.studio import Connection, Studio, connected, data_body, envelope, running, series_for, start_body

QUESTION: Final = str(__doc__).partition("\n")[0]
TURNS: Final = 12
QUICK_TURNS: Final = 4
TRAININGS: Final = 20
NEWCOMERS: Final = 50
VIEWERS: Final = 50
STEPS: Final = 25
SERIES: Final = 20
IMAGE_BYTES: Final = 100_000
LARGE: Final = 1_000_000
LARGEST: Final = 28_500_000
GROWTH_BOUND: Final = 1.1
PEAK_BOUND_MB: Final = 512.0


class Turn(msgspec.Struct, frozen=True):
    """What one turn left."""

    points: int
    resident_mb: float
    peak_mb: float
    disk_mb: float


async def take_turn(studio: Studio, turn: int, *, quick: bool) -> Turn:
    """Do everything once."""
    dice = random.Random(turn)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Connection(studio, number)) for number in range(TRAININGS)]
        viewers = [await stack.enter_async_context(Connection(studio, number)) for number in range(VIEWERS)]
        tasks = [asyncio.create_task(_follow(viewer)) for viewer in viewers]
        await asyncio.gather(
            *(_train(client, turn, number, dice) for number, client in enumerate(clients)), _read(studio)
        )
        if not quick:
            steps, series = series_for(LARGEST)
            await clients[0].post(data_body("largest", turn * steps, steps, series, dice))
        await _come_and_go(clients, turn, dice)
        await _read(studio)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
    counters = await studio.applied()
    disk_mb = sum(path.stat().st_size for path in studio.data.rglob("*") if path.is_file()) / 1e6
    return Turn(int(counters["points_new_total"]), studio.resident_mb, studio.peak_mb, disk_mb)


async def _follow(viewer: Connection) -> None:
    async for _ in viewer.events("/api/feed?since=0"):
        pass


async def _train(client: Connection, turn: int, number: int, dice: random.Random) -> None:
    """Go on with one of the long trainings."""
    name = f"run-{number}"
    await client.post(start_body(name))
    large_steps, large_series = series_for(LARGE)
    begin = turn * (STEPS + large_steps)
    for step in range(begin, begin + STEPS):
        await client.post(data_body(name, step, 1, SERIES, dice))
    await client.post(data_body(name, begin + STEPS, large_steps, large_series, dice))
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + dice.randbytes(IMAGE_BYTES)).decode()
    plots = {"dvclive/plots/images/sample.png": {"image": image, "props": {"step": begin}}}
    await client.post(msgspec.json.encode(envelope(name, step=begin, plots=plots)))


async def _come_and_go(clients: Sequence[Connection], turn: int, dice: random.Random) -> None:
    """Run short trainings from their start to their end."""
    for number in range(NEWCOMERS):
        client, name = clients[number % len(clients)], f"short-{turn}-{number}"
        await client.post(start_body(name))
        await client.post(data_body(name, 0, STEPS, SERIES, dice))
        await client.post(msgspec.json.encode(envelope(name, "done")))


async def _read(studio: Studio) -> None:
    """Look at everything, as a page does; an export is read to its end."""
    async with connected(studio) as client:
        page = await client.json("/api/experiments?limit=300")
        await client.json("/api/experiments?limit=300&sort=-step&filter=status%3Drunning")
        for experiment in page["experiments"][:5]:
            path = f"/api/experiments/{experiment['id']}"
            for series in (await client.json(f"{path}/series"))["series"][:5]:
                await client.json(f"{path}/series/{series['id']}?points=2000")
            for image in (await client.json(f"{path}/images"))["images"][-2:]:
                await client.get(f"/api/images/{image['id']}")
        await client.get("/api/openapi.json")
        await client.get("/metrics")
    if page["experiments"]:
        oldest = min(experiment["id"] for experiment in page["experiments"])
        async with connected(studio) as client:
            await client.download(f"/api/experiments/{oldest}/export?format=csv")


async def _turns(studio: Studio, turns: int, *, quick: bool) -> list[Turn]:
    return [await take_turn(studio, turn, quick=quick) for turn in range(turns)]


def measure(options: Options, report: Report) -> None:
    turns = QUICK_TURNS if options.quick else options.rest.turns
    with scratch() as folder, running(folder / "data", TRAININGS + VIEWERS) as studio:
        found = asyncio.run(_turns(studio, turns, quick=options.quick))
    rows: list[tuple[Cell | Figure, ...]] = [
        (str(number), turn.points, round(turn.disk_mb), round(turn.resident_mb, 1), round(turn.peak_mb, 1))
        for number, turn in enumerate(found, 1)
    ]
    report.table("turns", ("turn", "points so far", "disk MB", "resident MB", "peak MB"), rows)
    middle = found[len(found) // 2 - 1]
    if options.quick:
        report.note("so few turns only fill the caches: nothing is said of what comes after")
        return
    report.at_most("the last turn, x the middle one", found[-1].resident_mb / middle.resident_mb, GROWTH_BOUND)
    report.at_most("peak MB", found[-1].peak_mb, PEAK_BOUND_MB)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=TURNS, help="how often everything is done")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
