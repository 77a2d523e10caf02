"""Charts and summaries of a series, from roll-ups where they are written and from rows where they are not.

The newest row of a step is the one measured last, or received last where it does not say when it was measured; of
rows that were measured in the same millisecond it is the one with the smallest value, which is no better than another
but always the same. Only newest rows count: in a minimum, in a maximum and in a count.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from livestream.studio.store.base import Chart
from livestream.studio.store.sqlite.pieces import (
    FIRST_STEP,
    LAST_STEP,
    LEVELS,
    ROWS,
    Covered,
    Piece,
    cut,
    smallest_exponent,
)
from livestream.studio.update import Value

MAX_COST: Final = 20_000
"""Of one chart: a row or bucket that is read costs 1, a bucket that it is put together into `GROUP_COST`. A width that
costs more gives way to the finest that does not, because a chart has to come at once: a range of 100,000 steps asked
for as 4,000 points comes as 1,563, from the lowest roll-ups. From 64 steps a bucket up nothing gives way."""
GROUP_COST: Final = 5

_LARGEST: Final = sys.float_info.max
_TIME: Final = "CASE WHEN timestamp THEN timestamp * 1000 ELSE received_us END"
_FINITE: Final = "CASE WHEN value BETWEEN -:largest AND :largest THEN value END"

_NEWEST_ROWS: Final = f"""
    SELECT step, value, max({_TIME}) AS time_us FROM point
    WHERE series = :series AND step BETWEEN :first AND :last GROUP BY step"""  # noqa: S608 - of constants, as all here

_COVERED: Final = """
    SELECT (SELECT max(bucket) FROM rollup WHERE series = :series AND level = 14),
           (SELECT max(bucket) FROM rollup WHERE series = :series AND level = 10),
           (SELECT max(bucket) FROM rollup WHERE series = :series AND level = 8),
           (SELECT max(bucket) FROM rollup WHERE series = :series AND level = 6)"""

_ENDS: Final = """
    SELECT (SELECT step FROM point WHERE series = :series AND step >= :first ORDER BY step LIMIT 1),
           (SELECT step FROM point WHERE series = :series AND step <= :last ORDER BY step DESC LIMIT 1)"""

_MEASURE_ROWS: Final = f"""
    SELECT count(*), CAST(min({_FINITE}) AS REAL), CAST(max({_FINITE}) AS REAL) FROM ({_NEWEST_ROWS})"""  # noqa: S608

_MEASURE_BUCKETS: Final = """
    SELECT coalesce(sum(count), 0), min(minimum), max(maximum) FROM rollup
    WHERE series = :series AND level = :level AND bucket BETWEEN :first AND :last"""

_COUNT_BUCKETS: Final = """
    SELECT count(*) FROM rollup WHERE series = :series AND level = :level AND bucket BETWEEN :first AND :last"""

_ROW_KEYS: Final = """
    SELECT DISTINCT step >> :shift FROM point WHERE series = :series AND step BETWEEN :first AND :last LIMIT :limit"""

_BUCKET_KEYS: Final = """
    SELECT DISTINCT bucket >> :shift FROM rollup
    WHERE series = :series AND level = :level AND bucket BETWEEN :first AND :last LIMIT :limit"""

_COUNT_ROWS: Final = "SELECT count(*) FROM point WHERE series = :series AND step BETWEEN :first AND :last"

# Where every step has one row; a third faster than the next.
_GROUP_SINGLE_ROWS: Final = f"""
    SELECT g.bucket, p.step, p.value, {_TIME}, g.minimum, g.maximum, g.count FROM (
        SELECT step >> :shift AS bucket, max(step) AS newest, count(*) AS count,
            CAST(min({_FINITE}) AS REAL) AS minimum, CAST(max({_FINITE}) AS REAL) AS maximum
        FROM point WHERE series = :series AND step BETWEEN :first AND :last GROUP BY 1
    ) AS g CROSS JOIN point AS p ON p.series = :series AND p.step = g.newest"""  # noqa: S608

# All rows of a bucket's last step come: which is the newest is found by `_newest_of_each`.
_GROUP_ROWS: Final = f"""
    SELECT g.bucket, p.step, p.value, {_TIME}, g.minimum, g.maximum, g.count FROM (
        SELECT step >> :shift AS bucket, max(step) AS newest, count(*) AS count,
            CAST(min({_FINITE}) AS REAL) AS minimum, CAST(max({_FINITE}) AS REAL) AS maximum
        FROM ({_NEWEST_ROWS}) GROUP BY 1
    ) AS g CROSS JOIN point AS p ON p.series = :series AND p.step = g.newest"""  # noqa: S608

_GROUP_BUCKETS: Final = """
    SELECT g.bucket, r.last_step, r.last, r.last_us, g.minimum, g.maximum, g.count FROM (
        SELECT bucket >> :shift AS bucket, max(bucket) AS newest,
            min(minimum) AS minimum, max(maximum) AS maximum, sum(count) AS count
        FROM rollup WHERE series = :series AND level = :level AND bucket BETWEEN :first AND :last GROUP BY 1
    ) AS g CROSS JOIN rollup AS r ON r.series = :series AND r.level = :level AND r.bucket = g.newest"""

_BUCKETS: Final = """
    SELECT bucket, last_step, last, last_us, minimum, maximum, count FROM rollup
    WHERE series = :series AND level = :level AND bucket BETWEEN :first AND :last ORDER BY bucket"""


class Measure(msgspec.Struct, frozen=True, gc=False):
    """Of the newest rows in a range: how many, and the bounds of the finite ones."""

    count: int = 0
    minimum: float | None = None
    maximum: float | None = None


class Bucket(NamedTuple):
    """One bucket of a chart, or a part of one, as the statements give it; ``key``: its steps without their low bits."""

    key: int
    step: int
    last: Value
    time_us: int
    minimum: float | None
    maximum: float | None
    size: int


def read_chart(
    connection: sqlite3.Connection,
    series: int,
    points: int,
    first_step: int | None,
    last_step: int | None,
    max_cost: int | None = None,
) -> Chart:
    """Read a chart; the caller holds a read transaction open, so that all of it is one state.

    Args:
        connection: It.
        series: Of a series that is not known nothing is found.
        points: The most buckets wanted; fewer than 2 count as 2.
        first_step: Included; None: from the start, as ``last_step`` is to the end.
        last_step: Included.
        max_cost: `MAX_COST`, unless many charts are read at once.
    """
    points = max(points, 2)
    first = FIRST_STEP if first_step is None else min(max(first_step, FIRST_STEP), LAST_STEP)
    last = LAST_STEP if last_step is None else min(max(last_step, FIRST_STEP), LAST_STEP)
    covered = read_covered(connection, series)
    total = read_measure(connection, series, cut(first, last, covered)).count
    if total <= points:
        return _raw(connection, series, first, last, total)
    exponent = _exponent(
        connection, series, (first, last), covered, total, points, MAX_COST if max_cost is None else max_cost
    )
    buckets: list[tuple[Any, ...]] = []
    pieces = cut(first, last, _up_to(covered, exponent))
    for piece in pieces:
        steps = total if len(pieces) == 1 else None
        _append(buckets, _read_buckets(connection, series, piece, exponent, steps))
    _, last_steps, lasts, times_us, minima, maxima, sizes = (list(column) for column in zip(*buckets, strict=True))
    return Chart(
        width=1 << exponent,
        steps=last_steps,
        last=lasts,
        times_us=times_us,
        minimum=minima,
        maximum=maxima,
        count=sizes,
        total=total,
    )


def read_covered(connection: sqlite3.Connection, series: int) -> list[Covered]:
    """Read up to where each level is written, coarsest first; a level that is not written at all is left out."""
    (newest,) = connection.execute(_COVERED, {"series": series}).fetchall()
    return [
        Covered(level, (bucket + 1) << level)
        for level, bucket in zip(LEVELS, newest, strict=True)
        if bucket is not None
    ]


def read_measure(connection: sqlite3.Connection, series: int, pieces: Sequence[Piece]) -> Measure:
    """Count the steps of a range, and find the bounds of its values."""
    found = []
    for piece in pieces:
        sql = _MEASURE_ROWS if piece.level == ROWS else _MEASURE_BUCKETS
        found += connection.execute(sql, _of(series, piece)).fetchall()
    return Measure(
        sum(count for count, _, _ in found),
        min((minimum for _, minimum, _ in found if minimum is not None), default=None),
        max((maximum for _, _, maximum in found if maximum is not None), default=None),
    )


def read_ends(
    connection: sqlite3.Connection, series: int, first: int = FIRST_STEP, last: int = LAST_STEP
) -> tuple[int | None, int | None]:
    """Find the first and the last step of a range that is not empty, or of the whole series."""
    ((first_step, last_step),) = connection.execute(_ENDS, {"series": series, "first": first, "last": last}).fetchall()
    return first_step, last_step


def read_newest(connection: sqlite3.Connection, series: int, first: int, last: int) -> list[tuple[int, Value, int]]:
    """Read the newest row of each step: step, value and time in microseconds."""
    return connection.execute(_NEWEST_ROWS, {"series": series, "first": first, "last": last}).fetchall()


def _raw(connection: sqlite3.Connection, series: int, first: int, last: int, total: int) -> Chart:
    rows = read_newest(connection, series, first, last) if total else []
    return Chart(
        width=1,
        steps=[step for step, _, _ in rows],
        last=[value for _, value, _ in rows],
        times_us=[int(time_us) for _, _, time_us in rows],
        total=total,
    )


def _exponent(
    connection: sqlite3.Connection,
    series: int,
    bounds: tuple[int, int],
    covered: Sequence[Covered],
    total: int,
    points: int,
    max_cost: int,
) -> int:
    """Choose the width of the buckets: the smallest that gives few enough and reads few enough."""
    first_step, last_step = read_ends(connection, series, *bounds)
    if first_step is None or last_step is None:
        raise ValueError("the range holds no step")

    def has_at_most(exponent: int) -> bool:
        keys: set[int] = set()
        for piece in cut(*bounds, _up_to(covered, exponent)):
            sql = _ROW_KEYS if piece.level == ROWS else _BUCKET_KEYS
            asked = {**_of(series, piece), "shift": exponent - piece.level, "limit": points + 1}
            keys.update(key for (key,) in connection.execute(sql, asked))
            if len(keys) > points:
                return False
        return True

    exponent = smallest_exponent(first_step, last_step, total, points, has_at_most)
    rows_by_level = {ROWS: total}
    while exponent < max((level.level for level in covered), default=0):
        source = max((level.level for level in covered if level.level <= exponent), default=ROWS)
        if source not in rows_by_level:
            rows_by_level[source] = _count_buckets(connection, series, cut(*bounds, _up_to(covered, exponent)))
        grouped = 0 if source == exponent else total >> exponent
        if rows_by_level[source] + GROUP_COST * grouped <= max_cost:
            break
        exponent += 1
    return exponent


def _up_to(covered: Sequence[Covered], exponent: int) -> list[Covered]:
    """Leave out levels whose buckets are wider than those wanted."""
    return [level for level in covered if level.level <= exponent]


def _count_buckets(connection: sqlite3.Connection, series: int, pieces: Sequence[Piece]) -> int:
    return sum(
        connection.execute(_COUNT_BUCKETS, _of(series, piece)).fetchall()[0][0]
        for piece in pieces
        if piece.level != ROWS
    )


def _read_buckets(
    connection: sqlite3.Connection, series: int, piece: Piece, exponent: int, steps: int | None
) -> list[tuple[Any, ...]]:
    """Read a piece as `Bucket` fields; ``steps``: how many it has, if that is known."""
    asked = {**_of(series, piece), "shift": exponent - piece.level}
    if piece.level == exponent:
        return connection.execute(_BUCKETS, asked).fetchall()
    if piece.level != ROWS:
        return connection.execute(_GROUP_BUCKETS, asked).fetchall()
    if steps is not None and connection.execute(_COUNT_ROWS, asked).fetchall()[0][0] == steps:
        return connection.execute(_GROUP_SINGLE_ROWS, asked).fetchall()
    return _newest_of_each(connection.execute(_GROUP_ROWS, asked).fetchall())


def _newest_of_each(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Keep the newest of rows that are alike but for their value and time; of equal ones the first."""
    buckets: list[tuple[Any, ...]] = []
    for row in rows:
        if not buckets or Bucket(*buckets[-1]).key != Bucket(*row).key:
            buckets.append(row)
        elif Bucket(*row).time_us > Bucket(*buckets[-1]).time_us:
            buckets[-1] = row
    return buckets


def _append(buckets: list[tuple[Any, ...]], more: list[tuple[Any, ...]]) -> None:
    """Put a piece's buckets behind those before it: a bucket may lie in both."""
    if buckets and more and Bucket(*buckets[-1]).key == Bucket(*more[0]).key:
        before, after = Bucket(*buckets.pop()), Bucket(*more[0])
        more[0] = after._replace(
            minimum=min((value for value in (before.minimum, after.minimum) if value is not None), default=None),
            maximum=max((value for value in (before.maximum, after.maximum) if value is not None), default=None),
            size=before.size + after.size,
        )
    buckets += more


def _of(series: int, piece: Piece) -> dict[str, int | float]:
    """Give what every statement on a piece may ask for."""
    return {
        "series": series,
        "level": piece.level,
        "first": piece.first,
        "last": piece.last,
        "largest": _LARGEST,
    }
