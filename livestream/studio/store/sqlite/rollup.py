"""Roll-ups: minimum, maximum, last and count of 64, 256, 1,024 and 16,384 steps: a chart reads few rows.

A bucket is *closed* once its series has a point in a later one, and closed buckets with points have a row; what lies
beyond is read from the points. A bucket's row is a function of the points stored, never of their order of arrival:

* Nearly always rows come with rising steps. Then the open bucket's summary is kept in memory, row by row, and written
  as it closes. That costs a fifth of asking SQLite for the 64 rows again (0.1 us a row against 0.44).
* Whatever else happens (a late row, a second row at a step, a series that was not in memory) marks a bucket as *stale*,
  and stale buckets are computed from the points by SQL at the end of the transaction.

Each level above 6 is computed from the one below it. Only the newest row of a step counts: the one with the greatest
time, which is its timestamp, else when it came.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from operator import lt
from typing import Final, cast

from livestream.studio.store.sqlite.batch import Batch, Parameter
from livestream.studio.update import Value

LEVEL: Final = 6
UPPER_LEVELS: Final = (8, 10, 14)
"""8 lets charts of 2,000 and 4,000 points of a million steps be as fine as they can be; without it they read four times
as many rows."""
_BUCKET: Final = 1 << LEVEL
_INFINITY: Final = float("inf")

_AT: Final = "max(CASE WHEN timestamp <> 0 THEN timestamp * 1000 ELSE received_us END)"
_FINITE: Final = "CASE WHEN value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308 THEN value END"

# A bare column beside a single max() takes its value from the row that holds the maximum: SQLite's own rule.
_REFRESH: Final = f"""
INSERT OR REPLACE INTO rollup
SELECT :series, {LEVEL}, :bucket, last_step,
    (SELECT value FROM (SELECT value, {_AT} FROM point WHERE series = :series AND step = last_step)),
    (SELECT {_AT} FROM point WHERE series = :series AND step = last_step),
    minimum, maximum, count
FROM (
    SELECT max(step) AS last_step, min({_FINITE}) AS minimum, max({_FINITE}) AS maximum, count(*) AS count
    FROM (
        SELECT step, value, {_AT} FROM point
        WHERE series = :series AND step BETWEEN :first AND :last GROUP BY step
    )
) WHERE count > 0
"""  # noqa: S608 - put together from constants
_LIFT: Final = """
INSERT OR REPLACE INTO rollup
SELECT :series, :level, :bucket, newest.last_step, newest.last, newest.last_us, part.minimum, part.maximum, part.count
FROM (
    SELECT max(bucket) AS newest_bucket, min(minimum) AS minimum, max(maximum) AS maximum, sum(count) AS count
    FROM rollup WHERE series = :series AND level = :below
        AND bucket BETWEEN :bucket << (:level - :below) AND ((:bucket + 1) << (:level - :below)) - 1
) AS part JOIN rollup AS newest
    ON newest.series = :series AND newest.level = :below AND newest.bucket = part.newest_bucket
"""
_WRITE: Final = Batch("INSERT OR REPLACE INTO rollup VALUES {rows}", 9, (50, 12, 3, 1))


class SeriesState:
    """What the writer knows of a series between transactions.

    Attributes:
        id: The series' id.
        path: Of its plot.
        head: Its highest step; None without points.
        count: Steps in the head's bucket that the summary covers; -1: the summary is not known.
        batch: Marks the transaction that touched it last.
    """

    __slots__ = ("batch", "count", "head", "id", "last", "last_us", "maximum", "minimum", "path")

    def __init__(self, number: int, path: str, head: int | None) -> None:
        self.id = number
        self.path = path
        self.head = head
        self.count = 0 if head is None else -1
        self.minimum = _INFINITY
        self.maximum = -_INFINITY
        self.last: Value = 0
        self.last_us = 0
        self.batch: object = None

    def row(self) -> tuple[Parameter, ...]:
        """Give the roll-up of the head's bucket."""
        head = self.head or 0
        lacks_finite = self.minimum > self.maximum
        return (
            self.id,
            LEVEL,
            head >> LEVEL,
            head,
            self.last,
            self.last_us,
            None if lacks_finite else float(self.minimum),
            None if lacks_finite else float(self.maximum),
            self.count,
        )


class Rollups:
    """The roll-ups that one transaction owes."""

    def __init__(self) -> None:
        self._rows: list[Parameter] = []
        self._written: dict[SeriesState, set[int]] = {}
        self._stale: dict[SeriesState, set[int]] = {}

    def add_row(self, series: SeriesState, step: int, value: Value, at_us: int) -> None:
        """Note one row that will be inserted."""
        head = series.head
        if head is None or step > head:
            if head is not None and step >> LEVEL != head >> LEVEL:
                self._close(series, head)
            elif series.count < 0:
                series.head = step
                return
            series.head = step
            series.count += 1
            series.last, series.last_us = value, at_us
            if not isinstance(value, str) and -_INFINITY < value < _INFINITY:
                # Twice as quick as min() and max(), for every row there is.
                if value < series.minimum:  # noqa: PLR1730
                    series.minimum = value
                if value > series.maximum:  # noqa: PLR1730
                    series.maximum = value
        elif step >> LEVEL == head >> LEVEL:
            series.count = -1
        else:
            self._stale.setdefault(series, set()).add(step >> LEVEL)

    def add_rows(
        self, series: SeriesState, steps: list[int], values: list[Value], timestamps: list[int], base_us: int
    ) -> None:
        """Note rows that will be inserted; the lists are of one length, or there are no timestamps.

        Args:
            base_us: When the first was received; the others one microsecond after the other.
        """
        head = series.head
        if (head is None or steps[0] > head) and all(map(lt, steps, steps[1:])):
            self._append(series, steps, values, timestamps, base_us)
            return
        stale = self._stale.setdefault(series, set())
        stale.update({step >> LEVEL for step in steps})
        if head is not None:
            stale.add(head >> LEVEL)
        top = max(steps)
        series.head = top if head is None else max(head, top)
        series.count = -1

    def _append(
        self, series: SeriesState, steps: list[int], values: list[Value], timestamps: list[int], base_us: int
    ) -> None:
        is_dense = steps[-1] - steps[0] == len(steps) - 1
        begin = 0
        while begin < len(steps):
            bucket = steps[begin] >> LEVEL
            if is_dense:
                end = min(((bucket + 1) << LEVEL) - steps[0], len(steps))
            else:
                end = begin + 1
                while end < len(steps) and steps[end] >> LEVEL == bucket:
                    end += 1
            if series.head is not None and series.head >> LEVEL != bucket:
                self._close(series, series.head)
            series.head = steps[end - 1]
            if series.count >= 0:
                series.count += end - begin
                timestamp = timestamps[end - 1] if timestamps else 0
                series.last, series.last_us = values[end - 1], timestamp * 1000 if timestamp else base_us + end - 1
                _widen(series, values[begin:end])
            begin = end

    def _close(self, series: SeriesState, head: int) -> None:
        """The series moves on to a new bucket, which begins with an empty summary."""
        if series.count < 0:
            self._stale.setdefault(series, set()).add(head >> LEVEL)
        else:
            self._rows.extend(series.row())
            self._written.setdefault(series, set()).add(head >> LEVEL)
        series.count, series.minimum, series.maximum = 0, _INFINITY, -_INFINITY

    def write(self, connection: sqlite3.Connection) -> None:
        """Bring the table up to date; the points of the transaction are in."""
        if self._rows:
            _WRITE.run(connection, self._rows)
        for series, buckets in self._stale.items():
            _refresh(connection, series, buckets)
        for series in self._written.keys() | self._stale.keys():
            _lift(connection, series, self._written.get(series, set()) | self._stale.get(series, set()))


def _widen(series: SeriesState, values: list[Value]) -> None:
    numbers = cast("list[float]", values)
    try:
        lowest, highest = min(numbers), max(numbers)
        is_plain = lowest > -_INFINITY and highest < _INFINITY
    except TypeError:  # text: numbers beside "nan", or nothing but that
        is_plain = False
    if not is_plain:
        numbers = [value for value in values if not isinstance(value, str) and -_INFINITY < value < _INFINITY]
        if not numbers:
            return
        lowest, highest = min(numbers), max(numbers)
    series.minimum, series.maximum = min(series.minimum, lowest), max(series.maximum, highest)


def _refresh(connection: sqlite3.Connection, series: SeriesState, buckets: Iterable[int]) -> None:
    open_bucket = (series.head or 0) >> LEVEL
    for bucket in buckets:
        if bucket < open_bucket:
            first = bucket << LEVEL
            numbers = {"series": series.id, "bucket": bucket, "first": first, "last": first + _BUCKET - 1}
            connection.execute(_REFRESH, numbers)


def _lift(connection: sqlite3.Connection, series: SeriesState, buckets: set[int]) -> None:
    below = LEVEL
    for level in UPPER_LEVELS:
        buckets = {bucket >> (level - below) for bucket in buckets}
        open_bucket = (series.head or 0) >> level
        for bucket in buckets:
            if bucket < open_bucket:
                numbers = {"series": series.id, "level": level, "below": below, "bucket": bucket}
                connection.execute(_LIFT, numbers)
        below = level
