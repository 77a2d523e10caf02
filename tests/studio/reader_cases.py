"""A database filled row by row, and charts as plain Python computes them from those rows."""

from __future__ import annotations

import math
import random
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from livestream.events import Json, JsonObject
from livestream.studio.experiment import Facts
from livestream.studio.store.base import Chart
from livestream.studio.store.sqlite.database import connect_writer
from livestream.studio.update import Value

LEVELS = (6, 8, 10, 14)
RECEIVED_US = 1_790_000_000_000_000

StoredRow: TypeAlias = tuple[int, Value, int, int]
"""Step, value, timestamp in milliseconds, received in microseconds."""
Summary: TypeAlias = tuple[int, Value, int, float | None, float | None, int]
"""Last step, its value and time, minimum, maximum, count."""


def as_json(value: object) -> bytes:
    return msgspec.json.encode(value)


class Filled:
    """A data folder with tables of our own filling; the writer is another module's business."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.connection: sqlite3.Connection = connect_writer(data)
        self.connection.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        self.connection.close()

    def insert(self, table: str, **columns: object) -> int:
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join("?" for _ in columns)
        cursor = self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(columns.values()))
        return cursor.lastrowid or 0

    def add_experiment(
        self,
        name: str,
        *,
        facts: Facts | None = None,
        metrics: JsonObject | None = None,
        params: JsonObject | None = None,
        **others: Json,
    ) -> int:
        columns: JsonObject = {
            "repository": "github.com/o/r",
            "repo_url": "git@github.com:o/r.git",
            "baseline_sha": "a" * 40,
            "created_us": 1,
            "updated_us": 2,
            **others,
        }
        return self.insert(
            "experiment",
            name=name,
            facts=as_json(facts or Facts()),
            metrics=as_json(metrics or {}),
            params=as_json(params or {}),
            **columns,
        )

    def add_series(
        self, experiment: int = 1, path: str = "dvclive/plots/metrics/loss.tsv", column: str = "loss"
    ) -> int:
        return self.insert("series", experiment=experiment, path=path, column=column)

    def add_rows(self, series: int, rows: Iterable[tuple[int, Value, int]]) -> list[StoredRow]:
        """Store rows in the order in which they came, with their roll-ups; gives what is stored."""
        stored: dict[tuple[int, int, Value], StoredRow] = {}
        for index, (step, value, timestamp) in enumerate(rows):
            stored.setdefault((step, timestamp, value), (step, value, timestamp, RECEIVED_US + index))
        self.connection.execute("BEGIN")
        self.connection.executemany(
            "INSERT INTO point (series, step, value, timestamp, received_us) VALUES (?, ?, ?, ?, ?)",
            [(series, *row) for row in stored.values()],
        )
        self.connection.executemany("INSERT INTO rollup VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rollups(series, stored))
        self.connection.execute("COMMIT")
        return list(stored.values())


def rollups(series: int, stored: dict[tuple[int, int, Value], StoredRow]) -> list[tuple[object, ...]]:
    points = newest(stored.values())
    if not points:
        return []
    return [
        (series, level, bucket, *summary)
        for level in LEVELS
        for bucket, summary in summaries(points, level).items()
        if bucket < points[-1][0] >> level
    ]


def newest(rows: Iterable[StoredRow]) -> list[tuple[int, Value, int]]:
    """The newest row of each step, rising by step: step, value, time in microseconds."""
    found: dict[int, tuple[int, bool, float, Value]] = {}
    for step, value, timestamp, received_us in rows:
        is_text = isinstance(value, str)
        order = math.inf if isinstance(value, str) else value
        row = (timestamp * 1000 if timestamp else received_us, not is_text, -order, value)
        if step not in found or row[:3] > found[step][:3]:
            found[step] = row
    return [(step, found[step][3], found[step][0]) for step in sorted(found)]


def summaries(points: Sequence[tuple[int, Value, int]], exponent: int) -> dict[int, Summary]:
    """Buckets of 2^exponent steps, rising."""
    buckets: dict[int, list[tuple[int, Value, int]]] = {}
    for point in points:
        buckets.setdefault(point[0] >> exponent, []).append(point)
    return {bucket: summary(inside) for bucket, inside in buckets.items()}


def summary(points: Sequence[tuple[int, Value, int]]) -> Summary:
    finite = [float(value) for _, value, _ in points if not isinstance(value, str) and math.isfinite(value)]
    return (*points[-1], min(finite, default=None), max(finite, default=None), len(points))


def expected_chart(
    rows: Iterable[StoredRow], points: int, first: int | None = None, last: int | None = None, width: int | None = None
) -> Chart:
    """A chart by its definition; with ``width``: of that width, whatever its number of buckets."""
    inside = [
        point for point in newest(rows) if (first is None or point[0] >= first) and (last is None or point[0] <= last)
    ]
    if len(inside) <= points:
        return Chart(
            width=1,
            steps=[step for step, _, _ in inside],
            last=[value for _, value, _ in inside],
            times_us=[time_us for _, _, time_us in inside],
            total=len(inside),
        )
    exponents = range(1, 64) if width is None else [width.bit_length() - 1]
    exponent = next(one for one in exponents if width or len({step >> one for step, _, _ in inside}) <= points)
    buckets = list(summaries(inside, exponent).values())
    return Chart(
        width=1 << exponent,
        steps=[bucket[0] for bucket in buckets],
        last=[bucket[1] for bucket in buckets],
        times_us=[bucket[2] for bucket in buckets],
        minimum=[bucket[3] for bucket in buckets],
        maximum=[bucket[4] for bucket in buckets],
        count=[bucket[5] for bucket in buckets],
        total=len(inside),
    )


def random_rows(chance: random.Random) -> list[tuple[int, Value, int]]:
    """Rows of a random series in a random order of arrival: gaps, bursts, several rows a step, every kind of value."""
    size = chance.choice([0, 1, 2, 63, 64, 65, 300, 2_000, 6_000, 20_000])
    stride = chance.choice([1, 1, 1, 3, 50, 1_000, 10**9])
    step = chance.choice([0, 1, -1_000, 63, 10**6, -(10**15)])
    jump = chance.choice([0.0, 0.001, 0.05])
    twice = chance.choice([0.0, 0.0, 0.02, 0.5])
    odd = chance.choice([0.0, 0.01, 0.9])
    measured = chance.choice([0.0, 0.5, 1.0])
    rows: list[tuple[int, Value, int]] = []
    for _ in range(size):
        copies = 1 + (chance.random() < twice) * chance.randrange(1, 4)
        for _ in range(copies):
            timestamp = chance.randrange(1, 10**12) if chance.random() < measured else 0
            rows.append((step, random_value(chance, odd), timestamp))
        step += stride
        if chance.random() < jump:
            step += chance.choice([64, 5_000, 10**6, 10**13])
    late = chance.choice([0, 0, 10, len(rows)])
    for _ in range(min(late, len(rows))):
        rows.append(rows.pop(chance.randrange(len(rows))))
    return rows


def random_value(chance: random.Random, odd: float) -> Value:
    if chance.random() >= odd:
        return chance.gauss(0, 1)
    values: list[Value] = ["nan", math.inf, -math.inf, 0, -0.0, 1, 2**53 + 1, -(2**63), 2**63 - 1, 1e308, 5e-324]
    return chance.choice([*values, sys.float_info.max])


def random_bound(chance: random.Random, rows: Sequence[StoredRow]) -> int | None:
    if not rows or chance.random() < 0.3:
        return None
    near = chance.choice(rows)[0]
    return near + chance.choice([0, 0, -1, 1, 63, -64, 1_000, -(10**6)])
