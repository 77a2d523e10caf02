"""The change log, from which viewers catch up, and the log of events, which people read."""

from __future__ import annotations

import sqlite3
from typing import Final

from livestream.events import JsonObject
from livestream.studio.store.base import Change, ChangeKind
from livestream.studio.store.fold import overlay
from livestream.studio.store.sqlite.batch import Batch, Parameter
from livestream.studio.store.sqlite.state import encode

KEPT_CHANGES: Final = 100_000
PRUNE_EVERY: Final = 1_000
"""Entries between prunings: the log is at most so much longer than `KEPT_CHANGES`."""

_LAST: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'change'"
_ADD: Final = Batch("INSERT INTO change (seq, experiment, kind, time_us) VALUES {rows}", width=4)
_PRUNE: Final = "DELETE FROM change WHERE seq <= ?"
_ADD_EVENT: Final = Batch("INSERT INTO event (experiment, time_us, kind, detail) VALUES {rows}", width=4)


class News:
    """What one transaction changed of one experiment, for one entry of the change log."""

    def __init__(self, experiment: int, kind: ChangeKind | None = None) -> None:
        self.experiment = experiment
        self.kind = kind
        self.has_event = False  # something a person would want told: `facts`, whatever data came with it
        self.metrics: dict[str, JsonObject] = {}
        self.params: dict[str, JsonObject] = {}
        self.step: int | None = None
        self.plots: set[str] = set()

    def add_leaves(self, metrics: dict[str, JsonObject], params: dict[str, JsonObject]) -> None:
        """Note changed leaves, which are newer than those noted before."""
        for noted, changed in ((self.metrics, metrics), (self.params, params)):
            for path, leaves in changed.items():
                if path in noted:
                    overlay(noted[path], leaves)
                else:
                    noted[path] = leaves

    def change(self, seq: int, time_us: int) -> Change | None:
        """Give the entry; None where nothing changed."""
        has_data = self.metrics or self.params or self.plots or self.step is not None
        kind = "facts" if self.has_event else "data" if has_data else self.kind
        if kind is None:
            return None
        return Change(
            seq=seq,
            experiment=self.experiment,
            kind=kind,
            time_us=time_us,
            metrics=self.metrics,
            params=self.params,
            step=self.step,
            plots=sorted(self.plots),
        )


class Logs:
    """Entries of both logs that one transaction writes."""

    def __init__(self, connection: sqlite3.Connection, time_us: int) -> None:
        row = connection.execute(_LAST).fetchone()
        self._connection = connection
        self._seq: int = row[0] if row else 0
        self.time_us = time_us
        self.changes: list[Change] = []
        self._events: list[Parameter] = []

    def add_change(self, news: News) -> None:
        """Note what changed, if anything did."""
        change = news.change(self._seq + 1, self.time_us)
        if change is not None:
            self._seq += 1
            self.changes.append(change)

    def add_event(self, experiment: int, kind: str, detail: JsonObject, time_us: int) -> None:
        """Note a line of the log of events."""
        self._events += (experiment, time_us, kind, encode(detail))

    def write(self) -> list[Change]:
        """Write both, and prune the change log now and then; gives the changes."""
        if self._events:
            _ADD_EVENT.run(self._connection, self._events)
        if self.changes:
            rows: list[Parameter] = []
            for change in self.changes:
                rows += (change.seq, change.experiment, change.kind, change.time_us)
            _ADD.run(self._connection, rows)
            first = self.changes[0].seq
            if first // PRUNE_EVERY != (self._seq + 1) // PRUNE_EVERY:
                self._connection.execute(_PRUNE, (self._seq - KEPT_CHANGES,))
        return self.changes
