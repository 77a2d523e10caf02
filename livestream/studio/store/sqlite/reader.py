"""The store's questions on SQLite. All of its SQL is here and in the modules beside this one.

Every question runs in one read transaction, and so sees one committed state. Many rows come as one JSON text that
SQLite puts together: for each row that it fetches, Python's sqlite3 gives up its lock on the interpreter and waits for
it anew, which beside a busy thread costs more than the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from livestream.studio.store.base import (
    Brief,
    Change,
    Chart,
    ExperimentRow,
    Image,
    KeyPath,
    LogLine,
    NamedChart,
    PlotFile,
    Project,
    Row,
    Scope,
    Series,
    SharedName,
    SnapshotInfo,
)
from livestream.studio.store.sqlite import lists, tables
from livestream.studio.store.sqlite.charts import read_chart
from livestream.studio.store.sqlite.database import NAME, connect_reader, translate
from livestream.studio.store.sqlite.named import read_charts, read_shared_names
from livestream.studio.store.sqlite.pieces import FIRST_STEP, LAST_STEP
from livestream.studio.store.sqlite.summaries import read_one_series, read_series

ROWS_A_BATCH: Final = 5_000


class SqliteReader:
    """A connection that reads. It belongs to one thread at a time."""

    def __init__(self, data: Path) -> None:
        """Open the database of a data folder, which a writer has made.

        Raises:
            StoreError: It cannot be opened.
        """
        self._path = data / NAME
        self._connection = connect_reader(data)

    def ids(self, scope: Scope) -> list[int]:
        """Read the ids of all experiments in scope, newest first."""
        with self._state() as connection:
            return tables.read_ids(connection, scope)

    def briefs(self, scope: Scope, keys: Sequence[KeyPath] = ()) -> list[Brief]:
        """Read all experiments in scope, newest first, with the values at ``keys``.

        A value is None where there is none, or a dictionary; a list is its JSON, and true and false are 1 and 0.
        """
        with self._state() as connection:
            return tables.read_briefs(connection, scope, keys)

    def rows(self, ids: Sequence[int]) -> list[ExperimentRow]:
        """Read experiments by id, in the order of ``ids``; unknown ones are left out."""
        with self._state() as connection:
            return tables.read_rows(connection, ids)

    def series(self, experiment: int) -> list[Series]:
        """Read all series of an experiment with their summaries, by path and column."""
        with self._state() as connection:
            return read_series(connection, _bounded(experiment))

    def one_series(self, series: int) -> Series | None:
        """Read one series with its summary."""
        with self._state() as connection:
            return read_one_series(connection, _bounded(series))

    def chart(self, series: int, *, points: int, first_step: int | None = None, last_step: int | None = None) -> Chart:
        """Read at most ``points`` buckets of the newest rows from ``first_step`` to ``last_step``, both included.

        Up to ``points`` steps come as they are. More come in buckets of the smallest power of two steps, aligned to
        step 0, that gives at most ``points`` of them; wider, where that would take too
        long (`charts.MAX_COST`). Fewer than 2 points count as 2. A series that is not known is empty.
        """
        with self._state() as connection:
            return read_chart(connection, _bounded(series), points, first_step, last_step)

    def charts(
        self,
        experiments: Sequence[int],
        names: Sequence[str],
        *,
        points: int,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> list[NamedChart]:
        """Read charts, each as `chart`, of every series of some experiments with one of some names."""
        with self._state() as connection:
            asked = [_bounded(one) for one in experiments]
            return read_charts(connection, asked, names, points, (first_step, last_step))

    def shared_names(self, experiments: Sequence[int]) -> list[SharedName]:
        """Read all names of series of some experiments, sorted."""
        with self._state() as connection:
            return read_shared_names(connection, [_bounded(one) for one in experiments])

    def plot_files(self, experiments: Sequence[int]) -> list[PlotFile]:
        """Read which images and plots kept whole some experiments have, by experiment, then path."""
        with self._state() as connection:
            return lists.read_plot_files(connection, [_bounded(one) for one in experiments])

    def stored_rows(self, series: int, after: Row | None = None) -> Iterator[Row]:
        """Read every stored row after ``after``, in order of step, then of arrival, in batches each of one state."""
        while True:
            with self._state() as connection:
                batch = lists.read_stored_rows(connection, _bounded(series), after, ROWS_A_BATCH)
            yield from batch
            if len(batch) < ROWS_A_BATCH:
                return
            after = batch[-1]

    def images(self, experiment: int) -> list[Image]:
        """Read what is known of all images, by path, then step, then arrival."""
        with self._state() as connection:
            return lists.read_images(connection, _bounded(experiment))

    def image(self, image: int) -> Image | None:
        """Read what is known of one image."""
        with self._state() as connection:
            return lists.read_image(connection, _bounded(image))

    def snapshots(self, experiment: int) -> list[SnapshotInfo]:
        """Read what is known of all plots kept whole, by path."""
        with self._state() as connection:
            return lists.read_snapshots(connection, _bounded(experiment))

    def snapshot(self, experiment: int, path: str) -> tuple[SnapshotInfo, bytes] | None:
        """Read one of them, with its rows as JSON."""
        with self._state() as connection:
            return lists.read_snapshot(connection, _bounded(experiment), path)

    def log(self, experiment: int, limit: int = 500) -> list[LogLine]:
        """Read the newest lines of the log of events, oldest first."""
        with self._state() as connection:
            return lists.read_log(connection, _bounded(experiment), _bounded(limit))

    def projects(self) -> list[Project]:
        """Read all projects, by name."""
        with self._state() as connection:
            return lists.read_projects(connection)

    def changes(self, since: int, limit: int) -> list[Change] | None:
        """Read entries after ``since``, each experiment's newest only, oldest first.

        None where entries after ``since`` are no longer in the log, or where ``since`` lies in the future of this
        log, as after a backup was put back: the caller reads everything anew.
        """
        with self._state() as connection:
            return lists.read_changes(connection, _bounded(since), _bounded(limit))

    def last_change(self) -> int:
        """Read the newest entry's number; 0 for none."""
        with self._state() as connection:
            return lists.read_last_change(connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _state(self) -> Iterator[sqlite3.Connection]:
        """Hold one committed state for all statements of the block; an error in it is the store's."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise translate(error, self._path) from error


def open_reader(data: Path) -> SqliteReader:
    """Open a reader on a data folder."""
    return SqliteReader(data)


def _bounded(number: int) -> int:
    """Keep a number that somebody asks for within SQLite's 64 bits; no id, and no change, is as high as their end."""
    return max(FIRST_STEP, min(number, LAST_STEP))
