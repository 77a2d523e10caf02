"""Deliveries in few words, and what a store holds, in a form that can be compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from livestream.events import Problem
from livestream.studio.experiment import Facts
from livestream.studio.store.base import Applied
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.database import NAME, connect_reader
from livestream.studio.store.sqlite.writer import SqliteWriter
from livestream.studio.update import Backlog, Delivery, Identity, Points, Update, UpdateKey, Value

BASELINE = "a" * 40
NOW_US = 1_700_000_000_000_000
METRICS = "dvclive/metrics.json"
PARAMS = "params.yaml"


def identity(name: str = "tried-tang", repository: str = "github.com/o/r") -> Identity:
    return Identity(repository=repository, repo_url=f"https://{repository}", baseline_sha=BASELINE, name=name)


def points(
    rows: Iterable[tuple[int, Value]] | Iterable[tuple[int, Value, int]], path: str = "loss", column: str = "loss"
) -> Points:
    """Rows as (step, value) or (step, value, timestamp)."""
    full = [(*row, 0) if len(row) == 2 else row for row in rows]
    steps, values, times = [row[0] for row in full], [row[1] for row in full], [row[2] for row in full]
    return Points(path=path, column=column, steps=steps, values=values, timestamps=times if any(times) else [])


def key(first: int, last: int | None = None, part: int = 1, parts: int = 1, writer: str = "w") -> UpdateKey:
    return UpdateKey(writer, first, first if last is None else last, part, parts)


def delivery(
    kind: Any = "data",
    *,
    at_s: float = 0.0,
    of: Identity | None = None,
    digest: bytes | None = None,
    key: UpdateKey | None = None,
    backlog: Backlog | None = None,
    losses: dict[str, int] | None = None,
    repair: bool = False,
    last_slice: bool = True,
    **fields: Any,
) -> Delivery:
    update = Update(kind=kind, identity=of or identity(), **fields)
    return Delivery(
        update=update,
        received_us=NOW_US + round(at_s * 1e6),
        digest=digest if digest is not None else msgspec.json.encode([kind, sorted(map(str, fields.items()))])[:32],
        key=key,
        backlog=backlog,
        losses=losses or {},
        repair=repair,
        last_slice=last_slice,
    )


def failed(cls: str = "ValueError", text: str = "no") -> list[Problem]:
    return [Problem(cls, text)]


class Store:
    """A writer on a folder, and plain questions to its database."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.blobs = Blobs(data)
        self.writer = SqliteWriter(data, self.blobs)

    def apply(self, *deliveries: Delivery) -> Applied:
        return self.writer.apply(deliveries)

    def reopen(self) -> None:
        self.writer.close()
        self.writer = SqliteWriter(self.data, self.blobs)

    def ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return ask(self.data, sql, *parameters)

    def facts(self, name: str = "tried-tang") -> Facts:
        ((found,),) = self.ask("SELECT facts FROM experiment WHERE name = ?", name)
        return msgspec.json.decode(found, type=Facts)

    def files(self, column: str = "metrics", name: str = "tried-tang") -> Any:
        ((found,),) = self.ask(f"SELECT {column} FROM experiment WHERE name = ?", name)
        return msgspec.json.decode(found)

    def log(self) -> list[str]:
        return [kind for (kind,) in self.ask("SELECT kind FROM event ORDER BY id")]

    def rows(self) -> list[tuple[Any, ...]]:
        """All points, but for when they came."""
        return self.ask(
            'SELECT path, "column", step, timestamp, value FROM point JOIN series ON series.id = point.series'
            ' ORDER BY path, "column", step, timestamp, value'
        )

    def rollups(self) -> list[tuple[Any, ...]]:
        return rollups(self.data)


def ask(data: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    connection = connect_reader(data)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def rollups(data: Path) -> list[tuple[Any, ...]]:
    """All roll-ups by the names of their series; ``last_us`` only where it is a timestamp, not a time of arrival."""
    return ask(
        data,
        'SELECT path, "column", level, bucket, last_step, last, last_us * (last_us < ?), minimum, maximum, count'
        ' FROM rollup JOIN series ON series.id = rollup.series ORDER BY path, "column", level, bucket',
        NOW_US // 2,
    )


def expected_rollups(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What the roll-ups must be, worked out from the points as `Store.rows` gives them; steps with one row each, or
    rows with timestamps."""
    by_series: dict[tuple[str, str], dict[int, tuple[int, Value]]] = {}
    for path, column, step, timestamp, value in rows:
        newest = by_series.setdefault((path, column), {})
        if step not in newest or timestamp > newest[step][0]:
            newest[step] = timestamp, value
    found = []
    for (path, column), newest in by_series.items():
        head = max(newest)
        for level in (6, 8, 10, 14):
            for bucket in sorted({step >> level for step in newest if step >> level < head >> level}):
                steps = sorted(step for step in newest if step >> level == bucket)
                finite = [v for v in (newest[s][1] for s in steps) if not isinstance(v, str) and abs(v) != float("inf")]
                lowest, highest = (float(min(finite)), float(max(finite))) if finite else (None, None)
                time_us, last = newest[steps[-1]][0] * 1000, newest[steps[-1]][1]
                found.append((path, column, level, bucket, steps[-1], last, time_us, lowest, highest, len(steps)))
    return sorted(found, key=lambda row: row[:4])


def is_whole(data: Path) -> bool:
    connection = sqlite3.connect(data / NAME)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
