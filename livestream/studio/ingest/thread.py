"""The one thread that writes to the store.

A transaction takes all small updates that wait, and behind them a slice of the oldest large body, or some if nothing
else waits. A large body begins only after the small ones that were there before it, so order holds; a small one of the
same experiment that comes later is not here at all, but logged behind it. What is logged so and small shares
transactions too: else an experiment with many writers would never catch up.

The thread calls back into the event loop once a group. Nothing here awaits, and the loop's side never waits for the
lock longer than it takes to append to a queue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from livestream.studio.ingest.log import LogError, LoggedBody
from livestream.studio.store.base import Applied, Change, Writer
from livestream.studio.store.errors import StoreError, StoreFullError
from livestream.studio.update import Delivery
from livestream.studio.wire.fields import WireError
from livestream.studio.wire.large import cut, slices

MAX_GROUP: Final = 500
"""Updates of one transaction."""
MAX_GROUP_POINTS: Final = 50_000
SLICES_AT_ONCE: Final = 4
"""Of a large body in one transaction while nothing else waits: small updates wait 50 ms for them at most."""
SLICE_BYTES: Final = 64 * 1024
"""Logged bodies up to this size count as a part of a slice."""
SMALLEST_PART: Final = 1 / 32
MAX_FAILURES: Final = 3
"""Of one large body for reasons that are not a full disk; then others go first, or it is refused."""
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 60.0

_logger: Final = logging.getLogger(__name__)


class Small(msgspec.Struct, frozen=True, eq=False):
    """An update that waits for its commit; ``ticket`` is handed back with the result."""

    delivery: Delivery
    points: int
    ticket: object


class Call(msgspec.Struct, frozen=True, eq=False):
    """Any other change of the store."""

    run: Callable[[Writer], Any]
    ticket: object


class Outcomes(Protocol):
    """Where results go; called in the writing thread."""

    def committed(self, group: Sequence[Small], applied: Applied) -> None:
        """All of a group is in the store, and slices of a large body; ``applied`` names those of the group first."""

    def failed(self, tasks: Sequence[Small | Call], error: Exception) -> None:
        """Nothing of these is."""

    def called(self, task: Call, result: Any, changes: Sequence[Change]) -> None:
        """A call is done; ``changes`` came of it beside those that are its result."""

    def finished(self, body: LoggedBody, *, refused: bool) -> None:
        """A large body is applied, or cannot be."""


class _Progress:
    """The large body that is being applied."""

    def __init__(self, body: LoggedBody) -> None:
        self.body = body
        self.slices = _deliveries(body)


class WriterThread:
    """The only user of a `Writer` from `start` to `stop`; all other methods may be called from any thread."""

    def __init__(self, writer: Writer, outcomes: Outcomes) -> None:
        self._writer = writer
        self._outcomes = outcomes
        self._thread = threading.Thread(target=self._run, name="studio-writer", daemon=True)
        self._changed = threading.Condition()
        self._queue: deque[Small | Call] = deque()
        self._taken = 0  # tasks that ever left the queue, as `_added` came in: a large body knows what was before it
        self._added = 0
        self._large: deque[tuple[int, LoggedBody]] = deque()
        self._stopping = False
        self._progress: _Progress | None = None
        self._failures = 0
        self._is_alone = False  # the next large body: a transaction with several failed, and one of them is to blame
        self._retry_s = FIRST_RETRY_S
        self._not_before = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits but large bodies, and wait for the end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Small updates and calls that wait."""
        return len(self._queue)

    def add(self, task: Small | Call) -> None:
        """Put a task at the end."""
        with self._changed:
            self._queue.append(task)
            self._added += 1
            self._changed.notify()

    def add_large(self, body: LoggedBody) -> None:
        """Put a large body at the end, behind all that waits now."""
        with self._changed:
            self._large.append((self._added, body))
            self._changed.notify()

    # -- in the thread

    def _run(self) -> None:
        while self._wait():
            tasks = self._take()
            try:
                self._serve(tasks)
            except Exception as error:  # noqa: BLE001 - without this thread nothing is stored until somebody looks
                _warn("livestream.studio_writer_stumbled", error)
                self._retry_later(error)
        self._progress = None

    def _serve(self, tasks: list[Small | Call]) -> None:
        if tasks and isinstance(tasks[0], Call):
            self._call(tasks[0])
            return
        group = [task for task in tasks if isinstance(task, Small)]
        batch = self._read_slices(1 if group else SLICES_AT_ONCE) if self._large_is_next() else []
        if group or batch:
            self._commit(group, batch)

    def _wait(self) -> bool:
        """Wait for something to do; False at the end."""
        with self._changed:
            while not self._queue:
                if self._stopping:
                    return False
                if not self._large:
                    self._changed.wait()
                    continue
                pause_s = self._not_before - time.monotonic()
                if pause_s <= 0:
                    break
                self._changed.wait(pause_s)
            return True

    def _take(self) -> list[Small | Call]:
        """Take the next group: small updates up to the bounds, or one call."""
        tasks: list[Small | Call] = []
        points = 0
        with self._changed:
            while self._queue and len(tasks) < MAX_GROUP and points < MAX_GROUP_POINTS:
                task = self._queue[0]
                if isinstance(task, Call):
                    if not tasks:
                        tasks.append(self._queue.popleft())
                    break
                tasks.append(task)
                self._queue.popleft()
                points += task.points
            self._taken += len(tasks)
        return tasks

    def _large_is_next(self) -> bool:
        return not self._stopping and time.monotonic() >= self._not_before and self._large_at(0) is not None

    def _large_at(self, place: int) -> LoggedBody | None:
        """Give a large body by its place in the queue, if all small updates that came before it are taken."""
        with self._changed:
            if place >= len(self._large) or self._taken < self._large[place][0]:
                return None
            return self._large[place][1]

    def _call(self, task: Call) -> None:
        try:
            result = task.run(self._writer)
        except Exception as error:  # noqa: BLE001 - it is the caller's, and this thread serves all
            self._outcomes.failed([task], error)
        else:
            self._outcomes.called(task, result, self._writer.untold())

    def _commit(self, group: Sequence[Small], batch: Sequence[Delivery]) -> None:
        """Store small updates and slices of the oldest large bodies, which share the wait for the disk."""
        try:
            applied = self._writer.apply([*(task.delivery for task in group), *batch])
        except Exception as error:  # noqa: BLE001 - likewise
            if group and batch:
                self._commit(group, [])
                self._commit([], batch)
            elif any(each.last_slice for each in batch[:-1]) and not isinstance(error, StoreFullError):
                self._progress, self._is_alone = None, True
            elif batch:
                self._after_failure(self._large[0][1], error)
            elif len(group) == 1 or isinstance(error, StoreFullError):
                self._outcomes.failed(group, error)
            else:
                _warn("livestream.studio_group_failed", error, updates=len(group))
                for task in group:  # one bad update must not take the others with it
                    self._commit([task], [])
            return
        self._outcomes.committed(group, applied)
        if batch:
            self._retry_s = FIRST_RETRY_S
            for _ in range(sum(each.last_slice for each in batch)):
                self._finish(self._large[0][1], refused=False)

    # -- large bodies

    def _read_slices(self, room: float) -> list[Delivery]:
        """Give the next slices of the oldest large body, and what room is left to those behind it.

        None if the oldest cannot be read; one behind it that cannot be read is the oldest the next time. A start or a
        done shares with no other body: after a kill all of a transaction may be applied again, and that must not begin
        or end what has begun since.
        """
        batch: list[Delivery] = []
        ended = 0  # bodies of which the batch has the last slice
        behind = 0  # slices of the bodies before the one that is being read
        while room > 0 and not (batch and self._queue) and not (ended and self._is_alone):
            body = self._large_at(ended)
            if body is None:
                break
            try:
                if self._progress is None:
                    self._progress = _Progress(body)
                batch.append(next(self._progress.slices))
            except Exception as error:  # noqa: BLE001 - one body must not stop the others
                self._progress = None
                if not ended:
                    self._after_failure(body, error)
                return batch[:behind]
            is_data = batch[-1].update.kind == "data"
            if ended and not is_data:
                self._progress = None
                return batch[:behind]
            room -= max(min(body.head.body_bytes / SLICE_BYTES, 1), SMALLEST_PART) if is_data else room
            if batch[-1].last_slice:
                ended, behind, self._progress = ended + 1, len(batch), None
        return batch

    def _after_failure(self, body: LoggedBody, error: Exception) -> None:
        """Say what becomes of a body: a disk can be full for days, a damaged body stays as it is."""
        self._failures += not isinstance(error, StoreFullError)
        if isinstance(error, WireError | LogError):
            self._refuse(body, error)
        elif self._failures < MAX_FAILURES:
            self._retry_later(error)
        elif isinstance(error, StoreError):
            self._step_back(body, error)
        else:
            self._refuse(body, error)

    def _retry_later(self, error: Exception) -> None:
        """Begin this body anew after a while; what of it is stored already will change nothing."""
        _warn("livestream.studio_large_body_waits", error, retry_s=self._retry_s)
        self._progress = None
        self._not_before = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, LAST_RETRY_S)

    def _step_back(self, body: LoggedBody, error: Exception) -> None:
        """Let other experiments go before one whose body the store does not take; its own order stays."""
        identity = body.head.identity
        with self._changed:
            others = [each for each in self._large if each[1].head.identity != identity]
            own = [each for each in self._large if each[1].head.identity == identity]
            self._large = deque([*others, *own])
        self._failures = 0
        self._retry_later(error)
        if others:
            self._not_before = 0.0
            self._retry_s = FIRST_RETRY_S

    def _refuse(self, body: LoggedBody, error: Exception) -> None:
        _warn("livestream.studio_large_body_refused", error, body_file=body.path.name)
        self._progress = None
        self._finish(body, refused=True)

    def _finish(self, body: LoggedBody, *, refused: bool) -> None:
        self._failures = 0
        self._is_alone = False
        with self._changed:
            self._large.popleft()
        self._outcomes.finished(body, refused=refused)


def _deliveries(body: LoggedBody) -> Iterator[Delivery]:
    head = body.head
    for part in slices(*body.open()) if body.update is None else cut(body.update):
        yield Delivery(
            update=part.update,
            received_us=head.received_us,
            digest=bytes.fromhex(head.digest),
            key=head.key,
            backlog=head.backlog,
            losses=head.losses,
            repair=head.repair,
            last_slice=part.last,
        )


def _warn(event: str, error: Exception, **facts: float | str) -> None:
    """Log a failure by its class: its text may hold what a client sent."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    _logger.warning(event, extra={"error": type(error).__name__, "where": where, **facts})
