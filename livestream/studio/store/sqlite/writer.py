"""The one way into studio.db: a call is a transaction, and what it returns is on the disk.

A transaction takes deliveries in their order. What it does to an experiment's facts and dictionaries is decided in
memory, by the pure rules of `fold` and `marks`; points are gathered. At its end come the points, the roll-ups, each
experiment once, and the logs, each in few statements. If anything fails, all of it is rolled back, everything that was
remembered is forgotten, and the error says whether the disk is full.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from livestream.events import JsonObject
from livestream.studio.clock import now_us
from livestream.studio.store.base import Applied, Change, ChangeKind, Project
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.errors import StoreError
from livestream.studio.store.sqlite import database, projects
from livestream.studio.store.sqlite.changes import Logs, News
from livestream.studio.store.sqlite.commit import Commit
from livestream.studio.store.sqlite.state import States
from livestream.studio.update import Beat, Delivery

CLOSING_TIMEOUT_MS: Final = 500
"""How long the last checkpoint waits for readers: without it the next start does the same work."""

_LAST_TIME: Final = "SELECT max(updated_us) FROM experiment"
_SET_DELETED: Final = "UPDATE experiment SET deleted_us = ? WHERE id = ? AND (deleted_us IS NULL) = (? IS NOT NULL)"


def open_writer(data: Path, blobs: Blobs) -> SqliteWriter:
    """Open the store of a data folder to write it.

    Raises:
        StoreError: It cannot be opened, or a newer livestream wrote it.
    """
    return SqliteWriter(data, blobs)


class SqliteWriter:
    """A `store.base.Writer` on SQLite. One a data folder, used by one thread at a time."""

    def __init__(self, data: Path, blobs: Blobs) -> None:
        self._path = data / database.NAME
        self._blobs = blobs
        self._connection = database.connect_writer(data)
        self._wal = database.WalKeeper(self._connection, self._path)
        self._states = States()
        self._untold: list[Change] = []
        self._last_us: int = self._connection.execute(_LAST_TIME).fetchone()[0] or 0

    def apply(self, deliveries: Sequence[Delivery]) -> Applied:
        """Store deliveries in their order, in one transaction.

        Raises:
            StoreFullError: The disk took nothing of it.
            StoreError: Nothing of it is stored, for another reason.
        """
        images = [[self._blobs.put(picture.content) for picture in each.update.pictures] for each in deliveries]
        with self._transaction():
            commit = self._begin(max((each.received_us for each in deliveries), default=0))
            ids = [commit.take(delivery, names) for delivery, names in zip(deliveries, images, strict=True)]
            changes = commit.finish()
        self._end(commit)
        return Applied(
            experiments=ids,
            changes=changes,
            points_new=commit.points.new,
            points_known=commit.points.known,
            repeats=commit.repeats,
        )

    def beat(self, beats: Sequence[Beat]) -> Applied:
        """Note that writers live; beats of experiments that are not known are passed over (their id is 0).

        Raises:
            StoreError: As of `apply`.
        """
        with self._transaction():
            commit = self._begin(max((beat.received_us for beat in beats), default=0))
            ids = [commit.take_beat(beat) for beat in beats]
            changes = commit.finish()
        self._end(commit)
        return Applied(experiments=ids, changes=changes)

    def set_deleted(self, experiments: Sequence[int], *, deleted: bool, time_us: int) -> list[Change]:
        """Put up tombstones, or take them away; ids that are not known, or are so already, are passed over.

        Raises:
            StoreError: As of `apply`.
        """
        kind: ChangeKind = "deleted" if deleted else "restored"
        with self._transaction():
            logs = Logs(self._connection, time_us)
            for experiment in dict.fromkeys(experiments):
                moment = time_us if deleted else None
                if self._connection.execute(_SET_DELETED, (moment, experiment, moment)).rowcount:
                    logs.add_change(News(experiment, kind))
                    logs.add_event(experiment, kind, {}, time_us)
            return logs.write()

    def add_project(self, project: Project) -> Project:
        """Define a project; its ``id`` is chosen here.

        Raises:
            ProjectExistsError: There is one of this repository and folder.
            StoreError: As of `apply`.
        """
        with self._transaction():
            added = projects.insert_project(self._connection, project)
            logs = Logs(self._connection, project.created_us)
            logs.add_change(News(0, "project"))
            changes = logs.write()
        self._untold += changes
        return added

    def drop_project(self, project: int) -> bool:
        """Forget a project; experiments stay. False if there is none.

        Raises:
            StoreError: As of `apply`.
        """
        with self._transaction():
            was_there = projects.delete_project(self._connection, project)
            logs = Logs(self._connection, now_us())
            if was_there:
                logs.add_change(News(0, "project"))
            changes = logs.write()
        self._untold += changes
        return was_there

    def untold(self) -> list[Change]:
        """Give the changes of projects since the last time, which were not returned."""
        changes, self._untold = self._untold, []
        return changes

    def note_references(
        self, repository: str, pushed: Sequence[str], removed: Sequence[str], time_us: int
    ) -> list[Change]:
        """Note Git references ``refs/exps/<2>/<38>/<name>`` that were pushed or removed, at the experiments meant.

        Raises:
            StoreError: As of `apply`.
        """
        with self._transaction():
            commit = self._begin(time_us)
            for reference in pushed:
                commit.take_reference(repository, reference, is_there=True)
            for reference in removed:
                commit.take_reference(repository, reference, is_there=False)
            changes = commit.finish()
        self._end(commit)
        return changes

    def add_event(self, experiment: int, kind: str, detail: JsonObject, time_us: int) -> list[Change]:
        """Write a line to an experiment's log of events, for example a change of its status; it is a change `facts`.

        Raises:
            StoreError: As of `apply`.
        """
        with self._transaction():
            logs = Logs(self._connection, time_us)
            logs.add_change(News(experiment, "facts"))
            logs.add_event(experiment, kind, detail, time_us)
            return logs.write()

    def close(self) -> None:
        """Checkpoint and close."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute(f"PRAGMA busy_timeout = {CLOSING_TIMEOUT_MS}").fetchall()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()

    def _begin(self, time_us: int) -> Commit:
        return Commit(self._connection, self._states, max(time_us, 0), self._last_us)

    def _end(self, commit: Commit) -> None:
        self._last_us = commit.last_us
        self._states.trim()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with database.transaction(self._connection):
                yield
        except sqlite3.Error as error:
            self._states.clear()
            raise database.translate(error, self._path) from error
        except (OverflowError, UnicodeError) as error:  # a step beyond 64 bit, half a surrogate pair
            self._states.clear()
            raise StoreError(f"{self._path}: a value cannot be stored: {error}") from error
        except BaseException:
            self._states.clear()
            raise
        self._wal.look()
