"""The writers behind ``post_live_metrics``: one a spool, experiment, client and destination, kept while it is in use.

Each call stands for itself, but a queue has an order and a role, so calls for one experiment share a session:

    first call    the session
    start         primary; that ``start`` is its first event
    data          contributor: somebody else (``dvc exp run``) began the experiment, and will end it
    done          primary without a ``start``; it ends at once

A ``start`` or ``done`` that follows data ends the contributor and opens a primary. Where another living process is the
experiment's primary, ours is a contributor whatever it asks for, and its ``done`` ends nothing. ``done`` ends the
session. In a forked child the parent's sessions are contributors.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from livestream import ending
from livestream.config import Secret
from livestream.errors import SpoolError
from livestream.events import Data, Done, Event, Experiment, Files, JsonObject, Problem, Start, encode
from livestream.spool.blobs import INLINE_BYTES
from livestream.spool.delivery import wait_for_delivery
from livestream.spool.layout import STATE_FILE
from livestream.spool.quota import Weight
from livestream.spool.session import Session, SessionOptions

if TYPE_CHECKING:
    from livestream.spool.letters import DeadLetters

logger = logging.getLogger("livestream")

MAX_SESSIONS: Final = 32
"""Open at once in a process: each is a thread, a few descriptors and a journal of 4 MiB."""

Fate = Literal["taken", "dead", "queued"]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What tells two sessions apart."""

    spool: Path
    experiment: Experiment
    client: str
    url: str
    endpoint: str
    token: Secret


class AtExit(msgspec.Struct, frozen=True, kw_only=True):
    """How the process's end is met: the settings' ``signals`` and ``end_wait_s``."""

    signals: bool
    wait_s: float


class Receipt(msgspec.Struct, frozen=True):
    """Where an event went; a ``seq`` of ``None``: it was refused, and counted."""

    session: Session
    seq: int | None

    def wait(self, wait_s: float) -> Fate:
        """Wait until the Studio took the event, it became a dead letter, or the time is over.

        Other threads' events of the same session are waited for too.
        """
        writer = self.session.writer
        if writer is None or self.seq is None:
            return "queued"
        wait_for_delivery(self.session, wait_s)
        return _fate(self.session.options.spool, writer.info.uid, self.seq)


class Sessions:
    """A process's sessions, least recently used first. Safe from any thread; one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[Key, Session] = OrderedDict()
        self._inherited: set[Key] = set()
        self._ended: deque[Session] = deque(maxlen=MAX_SESSIONS)
        self._problems: list[Problem] = []
        self._at_exit: AtExit | None = None

    def record(self, key: Key, options: SessionOptions, event: Event, at_exit: AtExit) -> Receipt:
        """Put an event into its session's queue, opening that first where there is none."""
        with self._lock:
            if self._at_exit is None:
                os.register_at_fork(after_in_child=self._after_fork)
                ending.watch(self, signals=at_exit.signals)
            self._at_exit = at_exit
            session = self._open.get(key)
            if session is not None and self._gives_way(session, key, event):
                self._end(self._open.pop(key))
                session = None
            if session is None:
                self._make_room()
                session, seq = _open(options, event)
                self._open[key] = session
            else:
                self._open.move_to_end(key)
                seq = _append(session, event)
            if isinstance(event, Done) and seq is not None:
                self._inherited.discard(key)
                self._end(self._open.pop(key))
            return Receipt(session, seq)

    def _gives_way(self, session: Session, key: Key, event: Event) -> bool:
        """Tell whether a session asked to be a contributor, and this event wants to be a primary's."""
        return session.options.contributor and key not in self._inherited and not isinstance(event, Data)

    def _make_room(self) -> None:
        """End the session that is missed least: to end a primary is to leave its experiment."""
        if len(self._open) >= MAX_SESSIONS:
            contributors = [key for key, session in self._open.items() if session.role == "contributor"]
            self._end(self._open.pop(next(iter(contributors or self._open))))

    def _end(self, session: Session) -> None:
        session.end()
        self._ended.append(session)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._inherited = set(self._open)
        self._ended.clear()

    # -- what ``livestream.ending`` tells

    def note_failure(self, problem: Problem) -> None:
        """An exception ends the process: the experiments that it leaves have failed."""
        self._problems.append(problem)

    def note_signal(self, number: int) -> None:
        """A signal ends the process; takes no lock."""
        for session in tuple(self._open.values()):
            session.note_signal(number)

    def end_at_exit(self) -> None:
        """End all sessions; LIVESTREAM_END_WAIT_S bounds a wait for delivery."""
        with self._lock:
            left = list(self._open.values())
            self._open.clear()
            for session in left:
                try:
                    if self._problems and session.role == "primary":
                        session.record(Done(time=time.time(), errors=self._problems), Weight.EDGE)
                    self._end(session)
                except Exception:  # the others are to be ended too
                    logger.exception("livestream.end_failed")
            wait_s = 0.0 if self._at_exit is None else self._at_exit.wait_s
            if wait_s > 0:
                _wait_for_all(self._ended, wait_s)


def _open(options: SessionOptions, event: Event) -> tuple[Session, int | None]:
    """Open the session that an event asks for, and record it.

    The first event of a primary is put into its queue as it opens, and cannot spill: of a large one the head goes
    first, then the whole.
    """
    if isinstance(event, Data):
        session = Session(msgspec.structs.replace(options, contributor=True), os.environ, _nothing)
        return session, _append(session, event)
    first = event if len(encode(event)) < INLINE_BYTES else _head(event)
    session = Session(options, os.environ, lambda: encode(first))
    writer = session.writer
    if writer is not None and session.role == "primary" and first is event:
        return session, writer.seq or None
    return session, _append(session, event)


def _nothing() -> bytes:
    raise RuntimeError("a contributor has no opening event")


def _head(event: Start | Done) -> Event:
    return msgspec.structs.replace(event, files=None, machine={})


def _append(session: Session, event: Event) -> int | None:
    if not isinstance(event, Data):
        return session.record(event, Weight.EDGE)
    files = event.files or Files()
    writer = session.writer
    if (
        writer is not None
        and writer.allowance < Weight.IMAGES
        and any("image" in plot for plot in files.plots.values())
    ):
        rest = {path: plot for path, plot in files.plots.items() if "image" not in plot}
        files = msgspec.structs.replace(files, plots=rest)
        event = msgspec.structs.replace(event, files=files)
        session.trim()
    weight = Weight.SCALARS if all(_is_series(plot) for plot in files.plots.values()) else Weight.PLOTS
    return session.record(event, weight, event.step)


def _is_series(plot: JsonObject) -> bool:
    """Tell the rows of a metric, which are scalars, from a custom plot."""
    return "data" in plot and all("step" in row for row in plot["data"])


def _wait_for_all(sessions: deque[Session], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    left = sum(wait_for_delivery(session, max(0.0, deadline - time.monotonic())) for session in sessions)
    if left:
        logger.warning("livestream.exit_before_delivery", extra={"events": left})


def _fate(spool: Path, uid: str, seq: int) -> Fate:
    """Read from the daemon's books what became of one event."""
    from livestream.spool.state import State  # noqa: PLC0415 - only who waits needs the books

    try:
        state = State.open_readonly(spool / STATE_FILE)
    except SpoolError:
        return "queued"
    try:
        row = state.writer(uid)
        if row is None or row.cursor < seq:
            return "queued"
        return "dead" if _is_dead(state.letters, uid, seq) else "taken"
    except SpoolError:
        return "queued"
    finally:
        state.close()


def _is_dead(letters: DeadLetters, uid: str, seq: int) -> bool:
    after = 0
    while page := letters.list(writer=uid, after=after):
        if any(letter.seq <= seq < letter.seq + letter.count for letter in page):
            return True
        after = page[-1].id
    return False
