"""What the writer remembers of experiments between transactions, so that it reads little while it writes.

It remembers what is on the disk and nothing else: after a transaction that failed, all of it is forgotten.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from livestream.events import JsonObject
from livestream.studio.experiment import Facts
from livestream.studio.store.fold import Known
from livestream.studio.store.sqlite.batch import Batch, Parameter
from livestream.studio.store.sqlite.rollup import SeriesState
from livestream.studio.update import Identity

MAX_EXPERIMENTS: Final = 512
MAX_WEIGHT_BYTES: Final = 64 * 1024 * 1024
MAX_LOADED: Final = 20_000
"""Series that are read when an experiment is loaded, and properties; others are looked up as they come. A client that
names a series anew at each step has a million of them, and to read all of them would hold everybody up."""
MAX_SERIES: Final = 50_000
"""Of one experiment between transactions."""
_SERIES_BYTES: Final = 500  # own measurement: a series in memory with its keys
_DECODED: Final = 6  # a dictionary in memory is about so many times its JSON

_FIND: Final = """
SELECT id, subdir, updated_us, facts, metrics, params FROM experiment
WHERE repository = ? AND baseline_sha = ? AND name = ?
"""
_CREATE: Final = """
INSERT INTO experiment (repository, repo_url, baseline_sha, name, created_us, updated_us, facts, metrics, params)
VALUES (?, ?, ?, ?, ?, ?, x'7b7d', x'7b7d', x'7b7d')
"""
_SERIES: Final = """
SELECT id, path, "column", (SELECT max(step) FROM point WHERE series = series.id) FROM series WHERE experiment = ?
LIMIT ?
"""
_ONE_SERIES: Final = """
SELECT id, (SELECT max(step) FROM point WHERE series = series.id) FROM series
WHERE experiment = ? AND path = ? AND "column" = ?
"""
_PROPS: Final = "SELECT path, props FROM plot WHERE experiment = ? AND content IS NULL LIMIT ?"
_ADD_SERIES: Final = 'INSERT INTO series (experiment, path, "column") VALUES (?, ?, ?)'
_SAVE: Final = Batch(
    """
    WITH new (id, subdir, updated_us, facts, metrics, params) AS (VALUES {rows})
    UPDATE experiment SET subdir = new.subdir, updated_us = new.updated_us, facts = new.facts,
        metrics = coalesce(new.metrics, experiment.metrics), params = coalesce(new.params, experiment.params)
    FROM new WHERE experiment.id = new.id
    """,
    width=6,
    sizes=(50, 12, 3, 1),
)

_Key: TypeAlias = tuple[str, str, str]

_encoder = msgspec.json.Encoder()
_facts_decoder = msgspec.json.Decoder(Facts)
_files_decoder = msgspec.json.Decoder(dict[str, JsonObject])
_object_decoder = msgspec.json.Decoder(JsonObject)


def encode(value: object) -> bytes:
    """Give the JSON of a value, as all JSON columns hold it."""
    return _encoder.encode(value)


class ExperimentState:
    """An experiment as it is on the disk, with what this transaction changed.

    Attributes:
        known: Facts and dictionaries.
        series: By path and column; of a great many only some.
        props: Properties of plots that are series, by path; likewise.
        updated_us: The newest time that a delivery or row of it was marked with; a beat does not move it.
        metrics_changed: They must be written, as ``params_changed``.
    """

    def __init__(self, number: int, known: Known, updated_us: int) -> None:
        self.id = number
        self.known = known
        self.series: dict[tuple[str, str], SeriesState] = {}
        self.props: dict[str, JsonObject] = {}
        self.updated_us = updated_us
        self.metrics_changed = False
        self.params_changed = False
        self.weight_bytes = 0
        self._has_all_series = True
        self._json_bytes = 0

    def load_plots(self, connection: sqlite3.Connection) -> None:
        """Read which series and properties there are."""
        for number, path, column, head in connection.execute(_SERIES, (self.id, MAX_LOADED)):
            self.series[path, column] = SeriesState(number, path, head)
        self._has_all_series = len(self.series) < MAX_LOADED
        for path, props in connection.execute(_PROPS, (self.id, MAX_LOADED)):
            self.props[path] = _object_decoder.decode(props)

    def add_series(self, connection: sqlite3.Connection, path: str, column: str) -> SeriesState:
        """Make a series that is not there, or find one that was not remembered."""
        found = None if self._has_all_series else connection.execute(_ONE_SERIES, (self.id, path, column)).fetchone()
        if found is not None:
            series = SeriesState(found[0], path, found[1])
        else:
            series = SeriesState(connection.execute(_ADD_SERIES, (self.id, path, column)).lastrowid or 0, path, None)
        self.series[path, column] = series
        return series

    def trim(self) -> None:
        """Forget the series where they are too many; those that are used come back one by one."""
        if len(self.series) > MAX_SERIES:
            self.series.clear()
            self._has_all_series = False
            self.weigh()
        if len(self.props) > MAX_SERIES:
            self.props.clear()

    def row(self) -> tuple[Parameter, ...]:
        """Give what `save` writes of it; from now on it counts as unchanged."""
        known = self.known
        facts = encode(known.facts)
        metrics = encode(known.metrics) if self.metrics_changed else None
        params = encode(known.params) if self.params_changed else None
        self.metrics_changed = self.params_changed = False
        self._json_bytes = max(self._json_bytes, len(facts) + len(metrics or b"") + len(params or b""))
        self.weigh()
        return self.id, known.subdir, self.updated_us, facts, metrics, params

    def weigh(self, json_bytes: int = 0) -> None:
        """Estimate what it takes of memory."""
        self._json_bytes = self.known.held_bytes = max(self._json_bytes, json_bytes)
        self.weight_bytes = self._json_bytes * _DECODED + len(self.series) * _SERIES_BYTES


def save(connection: sqlite3.Connection, states: Iterable[ExperimentState]) -> None:
    """Write what changed of experiments."""
    _SAVE.run(connection, [value for state in states for value in state.row()])


class States:
    """The experiments that were written to last, bounded in number and weight."""

    def __init__(self) -> None:
        self._states: OrderedDict[_Key, ExperimentState] = OrderedDict()

    def find(self, connection: sqlite3.Connection, identity: Identity) -> ExperimentState | None:
        """Give an experiment, from memory or from the disk; None where there is none."""
        key = identity.repository, identity.baseline_sha, identity.name
        state = self._states.get(key)
        if state is not None:
            self._states.move_to_end(key)
            return state
        row = connection.execute(_FIND, key).fetchone()
        if row is None:
            return None
        number, subdir, updated_us, facts, metrics, params = row
        known = Known(
            facts=_facts_decoder.decode(facts),
            metrics=_files_decoder.decode(metrics),
            params=_files_decoder.decode(params),
            subdir=subdir,
        )
        state = self._states[key] = ExperimentState(number, known, updated_us)
        state.load_plots(connection)
        state.weigh(len(facts) + len(metrics) + len(params))
        return state

    def create(self, connection: sqlite3.Connection, identity: Identity, time_us: int) -> ExperimentState:
        """Make an experiment that is not there."""
        key = identity.repository, identity.baseline_sha, identity.name
        row = (identity.repository, identity.repo_url, identity.baseline_sha, identity.name, time_us, time_us)
        number = connection.execute(_CREATE, row).lastrowid
        state = self._states[key] = ExperimentState(number or 0, Known(facts=Facts()), time_us)
        return state

    def clear(self) -> None:
        """Forget everything."""
        self._states.clear()

    def trim(self) -> None:
        """Forget those that were not written to for longest, where there are too many; and what one has too much of."""
        for state in self._states.values():
            state.trim()
        weight = sum(state.weight_bytes for state in self._states.values())
        while self._states and (len(self._states) > MAX_EXPERIMENTS or weight > MAX_WEIGHT_BYTES):
            _, state = self._states.popitem(last=False)
            weight -= state.weight_bytes
