"""The rows of all metrics, as their files hold them, within a bound.

The bound is on all rows together, so that a run of few metrics shows every step of a long training. Where it is passed,
the longest series are halved; of those within a factor of two of the longest all at once, so that the work for a row
stays constant: a share of the bound has to come in before the next halving.
"""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from livestream.live.metrics import MetricValue
from livestream.live.report.series import SMALLEST, Row, Series

logger = logging.getLogger("livestream")

MAX_ROWS: Final = 100_000
"""Rows of all metrics together: 6 MB of HTML, 20 MB of memory."""

SUFFIX: Final = ".tsv"


class Scalars:
    """The histories of a run's metrics."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        """Begin without any."""
        self._max_rows = max_rows
        self._rows = 0
        self._shrink_above = max_rows
        self._said = False
        self._series: dict[str, Series] = {}  # by the file's name
        self._by_name: dict[str, tuple[Series, str]] = {}  # by the name it was logged under, with the values' column

    def add(self, name: str, step: int, value: MetricValue, timestamp_ms: int | None) -> None:
        """Take one row.

        Args:
            name: The metric's, as it was logged.
            step: The step.
            value: Checked: NaN and infinities are texts.
            timestamp_ms: Milliseconds since the epoch, where the history shows them.
        """
        known = self._by_name.get(name)
        column = os.path.basename(name) if known is None else known[1]
        row = {} if timestamp_ms is None else {"timestamp": str(timestamp_ms)}
        row["step"] = str(step)
        row[column] = str(value)  # a metric called "step" takes the step's place, as in DVCLive's file
        if known is None:
            file = os.path.normpath(name).replace(os.sep, "/")
            series = self._series.get(file)
            if series is None:
                series = self._series[file] = Series(tuple(row), column)
            known = self._by_name[name] = series, column
        self._append(known[0], tuple(row.values()))

    def load(self, folder: str) -> None:
        """Take the histories that a folder holds.

        Raises:
            OSError: A file cannot be read.
            ValueError: It is no table of texts.
        """
        for name in listed(folder, SUFFIX):
            with open(os.path.join(folder, f"{name}{SUFFIX}"), encoding="utf-8", newline="") as file:
                rows = csv.reader(file, delimiter="\t")
                header = next(rows, None)
                if header is None:
                    continue
                series = self._series[name] = Series(tuple(header), name.rpartition("/")[2])
                for row in rows:
                    if row:
                        self._append(series, tuple(row))

    def series(self, folder: str) -> Iterator[tuple[str, Series]]:
        """Give the histories with their files' names, in the order in which the folder lists the files."""
        for name in listed(folder, SUFFIX):
            series = self._series.get(name)
            if series is not None:
                yield name, series

    def _append(self, series: Series, row: Row) -> None:
        before = len(series)
        series.append(row)
        self._rows += len(series) - before
        if self._rows > self._shrink_above:
            self._shrink()

    def _shrink(self) -> None:
        if not self._said:
            self._said = True
            logger.warning(
                "livestream.report_is_thinned: it shows an even selection of %s rows; the files have all",
                self._max_rows,
            )
        longest = max(len(series) for series in self._series.values())
        for series in self._series.values():
            if len(series) >= max(SMALLEST, longest // 2):
                series.halve()
        self._rows = sum(len(series) for series in self._series.values())
        self._shrink_above = max(self._max_rows, self._rows + self._rows // 4)


def listed(folder: str, suffix: str) -> list[str]:
    """List a folder's files as DVCLive does, without their suffix: each file system has an order of its own."""
    return [path.relative_to(folder).as_posix()[: -len(suffix)] for path in Path(folder).rglob(f"*{suffix}")]
