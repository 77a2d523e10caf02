"""What does the Studio spend on a point, over HTTP and in its store, beside bare inserts into the same tables?

An event is 100 scalars of one step. ``bare`` inserts the same rows, in the same order and with as many a commit, into
the points and the roll-ups; they are decoded and laid out before. It does so by ``executemany``, as one writes it, and
by 200 rows a statement, the quickest way we know. ``store`` is the Studio's writer alone, given values: it also merges
metrics, keeps facts, marks and the change log, and makes the roll-ups itself. ``Studio`` is the whole process, from the
socket to the disk, its processor time read from /proc.

One training sends 1, 20 and 500 events in a body, and waits for the answer: a commit each, as from our daemon, which
merges what has gathered (500 are a body of 3.5 MB, logged first). ``20 trainings`` and ``500 trainings`` each send one
event at a time; those that wait share a commit, with ``bare`` all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial
from typing import Final, TypeAlias

import msgspec

from benchmarks.harness import Cell, Figure, Options, Report, child, figure, interleave, ratio, run, scratch
from benchmarks.studio import (
    REPO_URL,
    REPOSITORY,
    SHA,
    START_MS,
    STEP_MS,
    Connection,
    Studio,
    data_body,
    names_of,
    path_of,
    running,
    start_body,
)
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.database import connect_writer
from livestream.studio.store.sqlite.writer import open_writer
from livestream.studio.update import Delivery, Identity, Points, Update

QUESTION: Final = str(__doc__).partition("\n")[0]
SERIES: Final = 100
STATEMENT_ROWS: Final = 200
ROLLUP_STEPS: Final = 64
WAYS: Final = ("bare", "bare by 200", "store", "Studio")

PointRow: TypeAlias = tuple[int, int, int, float, int]
RollupRow: TypeAlias = tuple[int, int, int, int, float, int, float, float, int]
Group: TypeAlias = tuple[list[PointRow], list[RollupRow]]


class Shape(msgspec.Struct, frozen=True):
    """How events come.

    Attributes:
        trainings: That send at the same time; a commit holds a body of each.
        steps: Of one body.
        rounds: Bodies of each training.
        bound: Processor time of the Studio over that of bare inserts; 0: none was promised.
    """

    trainings: int
    steps: int
    rounds: int
    bound: float = 0.0


SHAPES: Final = {
    "1 event a commit": Shape(1, 1, 1_000),
    "20 events a commit": Shape(1, 20, 200, bound=1.7),
    "500 events a commit": Shape(1, 500, 20, bound=1.7),
    "20 trainings": Shape(20, 1, 200),
    "500 trainings": Shape(500, 1, 10),
}
QUICK_SHAPES: Final = {
    "1 event a commit": Shape(1, 1, 100),
    "20 events a commit": Shape(1, 20, 10),
    "500 events a commit": Shape(1, 500, 2),
    "20 trainings": Shape(20, 1, 10),
    "500 trainings": Shape(500, 1, 2),
}


class Cost(msgspec.Struct, frozen=True):
    """What some points took; ``events_a_commit`` as the Studio counted."""

    points: int
    wall_s: float
    cpu_s: float
    events_a_commit: float = 0.0

    @property
    def cpu_a_million(self) -> float:
        """Seconds of processor time for a million points."""
        return self.cpu_s * 1e6 / self.points

    @property
    def points_per_s(self) -> float:
        """Points a second."""
        return self.points / self.wall_s


# -- bare inserts, in a process of their own


def rows_of(training: int, first: int, steps: int) -> Iterator[PointRow]:
    """Give a body as rows of the table, as the Studio finds them in it: series by series."""
    dice = random.Random(training << 32 | first)
    for series in range(training * SERIES, (training + 1) * SERIES):
        for step in range(first, first + steps):
            time_ms = START_MS + step * STEP_MS
            yield series + 1, step, time_ms, dice.random(), time_ms * 1000 + series


def groups_of(shape: Shape) -> list[Group]:
    """Lay all commits out."""
    held: dict[int, list[float]] = {}
    groups = []
    for first in range(0, shape.rounds * shape.steps, shape.steps):
        rows = [row for training in range(shape.trainings) for row in rows_of(training, first, shape.steps)]
        groups.append((rows, list(_closed(rows, held))))
    return groups


def _closed(rows: Sequence[PointRow], held: dict[int, list[float]]) -> Iterator[RollupRow]:
    """Give the roll-ups of 64 steps that are due with some rows; those above them are a sixteenth as many."""
    for series, step, time_ms, value, _ in rows:
        values = held.setdefault(series, [])
        values.append(value)
        if step % ROLLUP_STEPS == ROLLUP_STEPS - 1:
            yield series, 6, step // ROLLUP_STEPS, step, value, time_ms * 1000, min(values), max(values), len(values)
            values.clear()


def bare(shape: Shape) -> Cost:
    """Insert as one writes it."""
    groups = groups_of(shape)
    with scratch() as folder, closing(connect_writer(folder)) as connection:
        began, cpu_s = time.perf_counter(), time.process_time()
        for points, rollups in groups:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR IGNORE INTO point VALUES (?,?,?,?,?)", points)
            connection.executemany("INSERT OR REPLACE INTO rollup VALUES (?,?,?,?,?,?,?,?,?)", rollups)
            connection.execute("COMMIT")
        taken = time.perf_counter() - began, time.process_time() - cpu_s
    return Cost(sum(len(points) for points, _ in groups), *taken)


def bare_by_200(shape: Shape) -> Cost:
    """Insert many rows by one statement."""
    groups = groups_of(shape)
    statements = [
        [
            *_by_200("INSERT OR IGNORE INTO point VALUES ", 5, points),
            *_by_200("INSERT OR REPLACE INTO rollup VALUES ", 9, rollups),
        ]
        for points, rollups in groups
    ]
    with scratch() as folder, closing(connect_writer(folder)) as connection:
        began, cpu_s = time.perf_counter(), time.process_time()
        for group in statements:
            connection.execute("BEGIN IMMEDIATE")
            for statement, cells in group:
                connection.execute(statement, cells)
            connection.execute("COMMIT")
        taken = time.perf_counter() - began, time.process_time() - cpu_s
    return Cost(sum(len(points) for points, _ in groups), *taken)


def _by_200(statement: str, width: int, rows: Sequence[tuple[float, ...]]) -> Iterator[tuple[str, list[float]]]:
    row = f"({','.join('?' * width)})"
    for at in range(0, len(rows), STATEMENT_ROWS):
        some = rows[at : at + STATEMENT_ROWS]
        yield statement + ",".join([row] * len(some)), [cell for cells in some for cell in cells]


# -- the store, in a process of its own


def store(shape: Shape) -> Cost:
    """Hand values to the Studio's writer."""
    groups = [
        [_delivery(training, first, shape.steps) for training in range(shape.trainings)]
        for first in range(0, shape.rounds * shape.steps, shape.steps)
    ]
    with scratch() as folder, closing(open_writer(folder, Blobs(folder))) as writer:
        began, cpu_s = time.perf_counter(), time.process_time()
        for group in groups:
            writer.apply(group)
        taken = time.perf_counter() - began, time.process_time() - cpu_s
    return Cost(shape.trainings * shape.steps * shape.rounds * SERIES, *taken)


def _delivery(training: int, first: int, steps: int) -> Delivery:
    rows = list(rows_of(training, first, steps))
    last = first + steps - 1
    points, latest = [], {}
    for number, name in enumerate(names_of(SERIES)):
        _, numbers, times_ms, values, _ = zip(*rows[number * steps : (number + 1) * steps], strict=True)
        latest[name] = values[-1]
        points.append(
            Points(
                path=path_of(name),
                column=name.rpartition("/")[2],
                steps=list(numbers),
                values=list(values),
                timestamps=list(times_ms),
            )
        )
    update = Update(
        kind="data",
        identity=Identity(repository=REPOSITORY, repo_url=REPO_URL, baseline_sha=SHA, name=f"run-{training}"),
        step=last,
        metrics={"dvclive/metrics.json": {**latest, "step": last}},
        points=points,
    )
    return Delivery(update=update, received_us=(START_MS + last * STEP_MS) * 1000, digest=b"")


HERE: Final[dict[str, Callable[[Shape], Cost]]] = {"bare": bare, "bare by 200": bare_by_200, "store": store}


def elsewhere(way: str, shape: Shape) -> Cost:
    """Have it done in a process of its own."""
    answer = child("bench_studio_ingest", "--child", way, msgspec.json.encode(shape).decode())
    return msgspec.convert(answer, Cost)


# -- the Studio


def studio(shape: Shape) -> Cost:
    """Post events to a Studio; see what its process takes."""
    dice = random.Random(7)
    bodies = [
        [data_body(f"run-{training}", at * shape.steps, shape.steps, SERIES, dice) for at in range(shape.rounds + 1)]
        for training in range(shape.trainings)
    ]
    with scratch() as folder, running(folder / "data", min(shape.trainings, 50)) as served:
        return asyncio.run(_measured(served, bodies))


async def _measured(served: Studio, bodies: Sequence[list[bytes]]) -> Cost:
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection(served, client)) for client in range(len(bodies))]
        for client, connection in enumerate(connections):  # what is made once is not what is measured
            await connection.post(start_body(f"run-{client}"))
            await connection.post(bodies[client].pop(0))
        before = await served.applied()
        began, cpu_s = time.perf_counter(), served.cpu_s
        await asyncio.gather(*(_post_all(*pair) for pair in zip(connections, bodies, strict=True)))
        after = await served.applied()
        wall_s, cpu_s = time.perf_counter() - began, served.cpu_s - cpu_s
    points = after["points_new_total"] - before["points_new_total"]
    commits = after["commits_total"] - before["commits_total"]
    return Cost(int(points), wall_s, cpu_s, points / SERIES / commits)


async def _post_all(connection: Connection, bodies: list[bytes]) -> None:
    for body in bodies:
        await connection.post(body)


# -- figures


def measure(options: Options, report: Report) -> None:
    shapes = QUICK_SHAPES if options.quick else SHAPES
    wanted = {name: shape for name, shape in shapes.items() if options.rest.only in name}
    rows: list[tuple[Cell | Figure, ...]] = []
    for name, shape in wanted.items():
        contenders = {way: partial(elsewhere, way, shape) for way in HERE} | {"Studio": partial(studio, shape)}
        found = interleave(contenders, 1 if options.quick else options.rounds)
        cpu = {way: [cost.cpu_a_million for cost in costs] for way, costs in found.items()}
        for way in WAYS:
            compared = [ratio(cpu[way], cpu[other]) for other in ("bare", "bare by 200")]
            speed = figure([cost.points_per_s for cost in found[way]])
            commit = found[way][0].events_a_commit
            rows.append((name, way, speed, figure(cpu[way]), *compared, round(commit, 1) if commit else None))
            if way == "Studio" and shape.bound:
                report.at_most(f"{name}: cpu, x bare", compared[0].median, shape.bound)
    columns = ("how they come", "", "points/s", "cpu s a million", "x bare", "x bare by 200", "events a commit")
    report.table(f"points, {SERIES} an event", columns, rows)


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        cost = HERE[sys.argv[2]](msgspec.json.decode(sys.argv[3], type=Shape))
        sys.stdout.buffer.write(msgspec.json.encode(cost))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", metavar="TEXT", help="only ways to come whose name has this text")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
