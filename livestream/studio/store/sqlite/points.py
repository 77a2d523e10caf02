"""Points on their way into the table: gathered over a whole transaction, then inserted by the hundred.

The table's key is the row itself, so a row that is there already is passed over, whoever sends it and how often.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final, cast

from livestream.studio.store.errors import StoreError
from livestream.studio.store.sqlite.batch import Batch, Parameter
from livestream.studio.store.sqlite.rollup import Rollups, SeriesState
from livestream.studio.update import Points, Value

# Not ON CONFLICT DO NOTHING, which takes twice as long where rows of many series alternate (1.51 us a row, not 0.79).
_INSERT: Final = Batch("INSERT OR IGNORE INTO point VALUES {rows}", width=5)
# A row is new if it holds the time at which this transaction put it there: no two rows share one.
_NEW_SERIES: Final = Batch(
    """
    WITH sent(series, step, timestamp, value, received_us) AS (VALUES {rows})
    SELECT DISTINCT sent.series FROM sent CROSS JOIN point USING (series, step, timestamp, value)
    WHERE point.received_us = sent.received_us
    """,
    width=5,
)
_INT_BOUND: Final = 1 << 63


class PointBatch:
    """The points of one transaction.

    Attributes:
        new: Rows that were not there before; known after `insert`.
        known: Rows that were.
    """

    def __init__(self) -> None:
        self.new = 0
        self.known = 0
        self._flat: list[Parameter] = []
        self._rollups = Rollups()
        self._mark = object()
        self._touched: list[tuple[SeriesState, set[str]]] = []

    def add(
        self,
        known: dict[tuple[str, str], SeriesState],
        add_series: Callable[[str, str], SeriesState],
        sent: list[Points],
        base_us: int,
        changed: set[str],
    ) -> int:
        """Gather rows; they are marked as received at ``base_us`` and the microseconds after it.

        Args:
            known: The experiment's series, by path and column.
            add_series: Makes one that is not known.
            sent: Rows, by column.
            base_us: The first microsecond that is free.
            changed: Gets the paths of those that turn out to be new, once they are inserted.

        Returns:
            The first microsecond that is free after them.
        """
        # Most bodies hold one row of each series: this loop is most of what Python does for a point.
        flat, mark, add_row = self._flat, self._mark, self._rollups.add_row
        for points in sent:
            key = points.path, points.column
            series = known[key] if key in known else add_series(points.path, points.column)
            if series.batch is not mark:
                series.batch = mark
                self._touched.append((series, changed))
            if len(points.steps) != 1:
                base_us = self._add_many(series, points, base_us)
                continue
            (step,), (value,) = points.steps, points.values
            if type(value) is int:
                value = as_stored(value)
            timestamp = points.timestamps[0] if points.timestamps else 0
            flat += (series.id, step, timestamp, value, base_us)
            add_row(series, step, value, timestamp * 1000 if timestamp else base_us)
            base_us += 1
        return base_us

    def _add_many(self, series: SeriesState, points: Points, base_us: int) -> int:
        count = len(points.steps)
        if not count:
            return base_us
        values = points.values
        if int in set(map(type, values)):
            values = [as_stored(value) for value in values]
        rows: list[Parameter] = [0] * (count * 5)
        rows[0::5] = [series.id] * count
        rows[1::5] = points.steps
        if points.timestamps:
            rows[2::5] = points.timestamps
        rows[3::5] = values
        rows[4::5] = range(base_us, base_us + count)
        self._flat += rows
        self._rollups.add_rows(series, points.steps, values, points.timestamps, base_us)
        return base_us + count

    def insert(self, connection: sqlite3.Connection) -> None:
        """Insert what was gathered, say which plots got new rows, and bring the roll-ups up to date."""
        chunks = list(_INSERT.execute(connection, self._flat))
        total = len(self._flat) // _INSERT.width
        self.new = sum(changed for _, _, changed in chunks)
        self.known = total - self.new
        if self.new:
            self._rollups.write(connection)
        found = self._series_with_news(connection, chunks) if self.known else None
        for series, changed_paths in self._touched:
            if found is None or series.id in found:
                changed_paths.add(series.path)

    def _series_with_news(self, connection: sqlite3.Connection, chunks: list[tuple[int, int, int]]) -> set[int]:
        if any(value != value for value in self._flat[3::5]):  # noqa: PLR0124 - that is what NaN is
            raise StoreError("a value is NaN, which is stored as the text 'nan'")  # SQLite would pass it over as NULL
        found: set[int] = set()
        for begin, end, changed in chunks:
            rows = self._flat[begin:end]
            if changed == (end - begin) // _INSERT.width:
                found.update(cast("list[int]", rows[0::5]))
            elif changed:
                found.update(series for (series,) in _NEW_SERIES.select(connection, rows))
        return found


def as_stored(value: Value) -> Value:
    """Give a value as SQLite takes it: whole numbers beyond 64 bit become floating."""
    if not isinstance(value, int) or -_INT_BOUND <= value < _INT_BOUND:
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
