"""What a ``Live`` sends: rows gathered into one event a step, images at once, and the end.

The order in which a step becomes safe is: its rows in the TSV files (each as it is logged), ``metrics.json``, then the
event here. A kill between the last two leaves a step that the folder holds and the stream does not; ``Live`` finds it
when it resumes, because the spool remembers the last step that was whole.

A metric without a plot, and what a user writes into ``Live.summary``, have no rows: where there is news of that kind
the event carries ``metrics.json`` whole.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import RLock
from typing import Final

import msgspec

from livestream import content
from livestream.content import STEP_KEY
from livestream.ending import problem_of
from livestream.errors import InvalidEventError
from livestream.events import Data, Files, Json, JsonObject, Plot, Scalar
from livestream.images import Pixels
from livestream.live.resume import Row
from livestream.run import Run

logger = logging.getLogger("livestream")

MAX_ROWS: Final = 10_000
"""Rows that wait for the end of their step; a step with more is sent in several events."""


class Stream:
    """One run as ``Live`` feeds it, under ``Live``'s lock."""

    def __init__(self, run: Run, metrics_path: str, lock: RLock) -> None:
        """Feed a run.

        Args:
            run: The run.
            metrics_path: What ``metrics.json`` is called on the wire.
            lock: Guards all of this; the process's exit takes it, too.
        """
        self.run = run
        self._metrics_path = metrics_path
        self._lock = lock
        self._events: list[Data] = []  # that wait for their step's end
        self._rows: dict[str, Scalar] = {}  # of the event that is being gathered
        self._place: tuple[int, int | None] = (0, None)  # its step and timestamp
        self._waiting_rows = 0
        self._max_rows = MAX_ROWS
        self._plots: dict[str, Plot] = {}
        self._told: JsonObject = {}  # metrics.json, flat, as what was sent makes it
        self._last_step: int | None = None  # that sync was called for
        self._highest_step = -1  # of all rows
        self._kept_step = -1  # the highest whose rows count: others are cut off when the run is resumed
        self._names: dict[str, bool] = {}  # of metrics: whether the wire can carry it
        self._said: set[str] = set()
        run.before_end = self.flush

    # -- news

    def row(self, name: str, step: int, timestamp_ms: int | None, value: Scalar) -> None:
        """Take one value of a metric; it goes with its step.

        Args:
            name: Levels joined by ``/``.
            step: The step it was logged at.
            timestamp_ms: Milliseconds since the epoch, where the row shows them.
            value: Numbers that JSON cannot hold come as text.
        """
        place = (step if type(step) is int else self._wire_step(step), timestamp_ms)
        if place != self._place or name in self._rows:
            self._close_rows()
            self._place = place
        is_accepted = self._names.get(name)
        if is_accepted is None:
            is_accepted = self._names[name] = self._is_accepted(f"metrics[{name!r}]", name)
        self._told[name] = value
        if is_accepted:
            self._rows[name] = value
            self._waiting_rows += 1
            if self._waiting_rows >= self._max_rows:
                self._send()
        self._highest_step = max(self._highest_step, place[0])

    def params(self, values: Mapping[str, Json], step: int) -> None:
        """Send parameters at once: they are what a run is known by while its first step takes an hour."""
        if plain := self._plain("params", values):
            self._record(Data(time=time.time(), step=self._wire_step(step), params=plain))

    def image(self, name: str, step: int, pixels: Pixels) -> None:
        """Send an image at once, as it is now."""
        if self._is_accepted(f"images[{name!r}]", name):
            self._record(Data(time=time.time(), step=self._wire_step(step)), {name: pixels})

    def plot(self, name: str, plot: Plot) -> None:
        """Take a custom or scikit-learn plot; the newest of a name goes with the step."""
        if self._is_accepted(f"plots[{name!r}]", name):
            self._plots[name] = plot

    def sync(self, step: int, summary: JsonObject, *, failed: bool = False) -> None:
        """Send what belongs to a step that is complete; nothing where there is no news.

        Args:
            step: The step.
            summary: ``Live.summary``, nested.
            failed: An exception ends the run: rows of a later step, which never ended, do not count.
        """
        step = self._wire_step(step)
        self._close_rows()
        files = self._summary_as_file(summary)
        plots, self._plots = self._plots, {}
        at_step = self._events[-1] if self._events and self._events[-1].step == step else None
        if plots or files or (at_step is None and step != self._last_step):
            self._events[len(self._events) - (at_step is not None) :] = [
                msgspec.structs.replace(at_step or Data(time=time.time(), step=step), plots=plots, files=files)
            ]
        self._send()
        self._last_step = step
        self._kept_step = max(self._kept_step, step, -1 if failed else self._highest_step)
        self.run.end_step(step, self._kept_step)

    def flush(self) -> None:
        """Send what waits at the end of the process, though its step did not end."""
        with self._lock:
            self._close_rows()
            if self._plots:
                plots, self._plots = self._plots, {}
                self._events.append(Data(time=time.time(), step=self._place[0], plots=plots))
            self._send()

    # -- resuming, forking, ending

    def go_on(self, step: int | None, kept: int, summary: JsonObject, missed: Iterable[Row]) -> None:
        """Begin where a run stopped.

        Args:
            step: The last step that was whole.
            kept: The highest step whose rows the folder has kept.
            summary: Its summary, which the stream has.
            missed: Rows that its folder holds and the stream never got.
        """
        self._told = _flat(summary)
        self._last_step, self._kept_step = step, kept
        for row in missed:
            self.row(row.name, row.step, row.timestamp_ms, row.value)
        self._send()
        if step is not None:
            self.run.end_step(step, kept)

    def forget(self, lock: RLock) -> None:
        """In a forked child: the parent sends by itself what waits here; what the child logs goes row by row.

        A worker of multiprocessing ends without a word (``os._exit``), so nothing may wait in it.
        """
        self._lock = lock
        self._events, self._rows, self._plots, self._waiting_rows = [], {}, {}, 0
        self._max_rows = 1

    def end(self, error: BaseException | None, experiment_rev: str | None) -> None:
        """End the run; an exception ends it as failed."""
        if error is not None:
            self.run.note_failure(problem_of(type(error), error))
        self.run.end(experiment_rev=experiment_rev)

    # -- what waits

    def _close_rows(self) -> None:
        if self._rows:
            step, timestamp_ms = self._place
            self._events.append(Data(time=time.time(), step=step, metrics=self._rows, timestamp=timestamp_ms))
            self._rows = {}

    def _send(self) -> None:
        self._close_rows()
        events, self._events, self._waiting_rows = self._events, [], 0
        for event in events:
            self._record(event)

    def _record(self, event: Data, pixels: Mapping[str, Pixels] | None = None) -> None:
        if self.run.ended:
            self._say_once("end", "the run has ended: what is logged now is not sent")
        self.run.record(event, pixels)

    def _summary_as_file(self, summary: JsonObject) -> Files | None:
        """Give metrics.json whole where it holds news that no row carries."""
        flat = _flat(summary)
        if flat == self._told:
            return None
        self._told = flat
        return Files(metrics={self._metrics_path: {"data": self._plain("summary", summary)}})

    def _plain(self, field: str, values: Mapping[str, Json]) -> JsonObject:
        """Give what JSON can hold of a dictionary; the rest is said once."""
        plain: JsonObject = {}
        for name, value in values.items():
            plain |= self._checked(partial(content.params, {name: value}, field)) or {}
        return plain

    # -- what the wire cannot carry is in the folder all the same

    def _wire_step(self, step: Json) -> int:
        """Give a step as the wire has it: users set it to anything that they count by."""
        try:
            return content.step(int(step))
        except (InvalidEventError, TypeError, ValueError, OverflowError):
            self._checked(partial(content.step, step))
            return self._last_step or 0

    def _is_accepted(self, field: str, name: str) -> bool:
        if name == STEP_KEY and field.startswith("metrics"):  # each event says its step
            return False
        return self._checked(partial(_named, field, name)) is not None

    def _checked(self, check: Callable[[], Json]) -> Json | None:
        try:
            return check()
        except InvalidEventError as error:
            self._say_once(error.field, error.problem)
            return None

    def _say_once(self, field: str, problem: str) -> None:
        if field not in self._said:
            self._said.add(field)
            logger.warning("livestream.not_streamed", extra={"field": field, "problem": problem})


def _named(field: str, name: str) -> str:
    content.check_name(field, name)
    return name


def _flat(tree: JsonObject, above: str = "") -> JsonObject:
    flat: JsonObject = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{above}{key}/"))
        elif above or key != STEP_KEY:
            flat[f"{above}{key}"] = value
    return flat
