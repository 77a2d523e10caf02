"""`Ingest`: what handlers call to change the store, from the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from livestream.files import FolderError
from livestream.studio.counters import Counters
from livestream.studio.ingest.intake import Intake, digest_of, run_to_end, to_end
from livestream.studio.ingest.log import HEAD_BYTES, BodyLog, LoggedBody, LogHead, Part
from livestream.studio.ingest.thread import Call, Small, WriterThread
from livestream.studio.settings import StudioLimits
from livestream.studio.store.base import Applied, Change, Writer
from livestream.studio.update import Beat, Delivery, Identity, Update
from livestream.studio.wire.body import decode
from livestream.studio.wire.headers import Extension
from livestream.studio.wire.large import Survey, survey

MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024
"""Of small bodies that wait for their commit, as JSON; decoded they take three times as much."""
KEPT_BODY_BYTES: Final = 4 * 1024 * 1024
"""Logged bodies up to this size are decoded once, before the answer."""
MAX_KEPT_BYTES: Final = 32 * 1024 * 1024
"""Of logged bodies that are kept decoded, as JSON; decoded they take some 1.6 times as much."""
QUEUE_RETRY_S: Final = 1.0
LOG_BYTES_PER_S: Final = 10 * 1024 * 1024
"""How fast logged bodies are applied, about; for Retry-After."""
MAX_LOG_RETRY_S: Final = 60.0

_Experiment: TypeAlias = tuple[str, str, str]
T = TypeVar("T")
_logger: Final = logging.getLogger(__name__)


class StoppedError(Exception):
    """The Studio is going down."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about its body: when it came, by which token, and our headers."""

    received_us: int
    extension: Extension = Extension()
    token: int = 0


class _Ticket(msgspec.Struct, frozen=True, eq=False):
    """Whoever waits for a task of the writing thread, and the bytes it holds in the queue."""

    future: asyncio.Future[Any]
    size: int = 0


class Ingest:
    """Groups what comes and has it written by one thread; see the package. All methods belong to the event loop.

    Attributes:
        pending_bytes: Of files with bodies that are safe and not applied yet.
    """

    def __init__(
        self,
        writer: Writer,
        data: Path,
        limits: StudioLimits,
        publish: Callable[[Sequence[Change]], None],
        counters: Counters,
        clock_us: Callable[[], int],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            writer: Nobody else uses it until `stop` has returned; whoever opened it closes it then.
            data: The Studio's folder.
            publish: Told of changes after their commit, in the event loop.
            clock_us: Microseconds since the epoch.
        """
        self.pending_bytes = 0
        self.clock_us = clock_us
        self._limits = limits
        self._publish = publish
        self._counters = counters
        self._log = BodyLog(data)
        self._thread = WriterThread(writer, self)
        self._pool = ThreadPoolExecutor(limits.max_large_reads, thread_name_prefix="studio-log")
        self._slots = asyncio.Semaphore(limits.max_large_reads)
        self._pending: Counter[_Experiment] = Counter()
        self._queued_bytes = 0
        self._kept_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin, with the large bodies that an earlier run left behind."""
        self._loop = asyncio.get_running_loop()
        for body in self._log.recover():
            self._hold(body)
            self._thread.add_large(body)
        self._counters.large_refused += self._log.refused
        self._thread.start()

    async def stop(self) -> None:
        """Commit what waits, and end; large bodies that wait are applied at the next start."""
        if self._loop is None:
            return
        self._stopping = True
        await asyncio.to_thread(self._thread.stop)
        await asyncio.sleep(0)  # results that the thread has just handed over
        self._loop = None
        await asyncio.to_thread(self._pool.shutdown)

    # -- what handlers ask

    def overloaded(self, *, large: bool = False) -> float | None:
        """Say after how many seconds to come again, if there is no room for another body now."""
        if large and self.pending_bytes >= self._limits.max_logged_bytes:
            return min(max(self.pending_bytes / LOG_BYTES_PER_S, QUEUE_RETRY_S), MAX_LOG_RETRY_S)
        is_full = self._thread.waiting >= self._limits.max_queued or self._queued_bytes >= MAX_QUEUED_BYTES
        return QUEUE_RETRY_S if is_full else None

    def applying(self, repository: str, baseline_sha: str, name: str) -> bool:
        """Whether an experiment has data that is safe and not readable yet."""
        return self._pending[repository, baseline_sha, name] > 0

    def intake(self, *, packed: bool, max_bytes: int | None = None) -> Intake:
        """Begin to take a body.

        Args:
            packed: It comes as gzip.
            max_bytes: Bound it by this, and keep all of it in memory; None: it may be large.
        """
        limits = self._limits
        if max_bytes is not None:
            limits = msgspec.structs.replace(limits, max_request_bytes=max_bytes, large_bytes=max_bytes)
        return Intake(self._log, limits, self._slots, self._pool, packed=packed)

    # -- updates

    async def submit(self, delivery: Delivery, size: int = 0) -> int:
        """Store an update, in one transaction with all that waits.

        Args:
            size: Bytes of its body.

        Returns:
            The experiment's id, once it is committed.

        Raises:
            StoreError: It is not stored.
        """
        points = sum(len(points.steps) for points in delivery.update.points)
        ticket = self._ticket(size)
        self._queued_bytes += size
        self._thread.add(Small(delivery, points, ticket))
        experiment: int = await ticket.future
        return experiment

    async def take(self, update: Update, payload: bytes, envelope: Envelope) -> int | None:
        """Store a small body, or log it behind large ones of its experiment.

        Returns:
            The experiment's id, once it is committed; None once it is safe in the log.

        Raises:
            StoreError: It is not stored.
            OSError: It is not logged.
        """
        digest = digest_of(payload)
        if self._pending[_experiment(update.identity)]:
            part = self._log.part()
            try:
                await run_to_end(self._pool, lambda: part.write(payload))
                await self._seal(part, Survey.of(update), envelope)
            finally:
                part.discard()
            return None
        said = envelope.extension
        delivery = Delivery(
            update=update,
            received_us=envelope.received_us,
            digest=digest,
            key=said.key,
            backlog=said.backlog,
            losses=said.losses,
            repair=said.repair,
        )
        return await self.submit(delivery, len(payload))

    async def survey(self, part: Part) -> Survey:
        """Look through a large body, giving way to others again and again.

        One of a few megabytes is decoded at once, in a thread, and kept for the writer as long as there is room: it is
        then read once, not twice.

        Raises:
            WireError: The first thing that is wrong with it.
        """
        if part.size <= KEPT_BODY_BYTES and self._kept_bytes < MAX_KEPT_BYTES:
            return Survey.of(await run_to_end(self._pool, lambda: decode(part.map())))
        steps = survey(part.map())
        # The first step reads all but the plots, megabytes in one piece.
        await run_to_end(self._pool, lambda: next(steps))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: Survey = end.value
                return found
            await asyncio.sleep(0)

    async def log(self, part: Part, found: Survey, envelope: Envelope) -> None:
        """Make a large body safe; it is applied later, in its experiment's order.

        Raises:
            OSError: It is not safe.
        """
        await self._seal(part, found, envelope)
        self._counters.large_bodies += 1

    async def _seal(self, part: Part, found: Survey, envelope: Envelope) -> None:
        said = envelope.extension
        head = LogHead(
            identity=found.update.identity,
            received_us=envelope.received_us,
            digest=part.digest.hex(),
            body_bytes=part.size,
            key=said.key,
            backlog=said.backlog,
            losses=said.losses,
            repair=said.repair,
            token=envelope.token,
        )
        kept = found.whole if self._kept_bytes < MAX_KEPT_BYTES else None
        body = LoggedBody(path=self._log.body_path(), head=head, update=kept)
        self._hold(body)  # from here on small ones of this experiment go behind it
        loop = asyncio.get_running_loop()
        sealing = loop.run_in_executor(self._pool, lambda: part.seal(head, found.snapshots, body.path))
        sealing.add_done_callback(lambda done: self._sealed(done, body))
        await to_end(sealing)

    def _sealed(self, done: asyncio.Future[None], body: LoggedBody) -> None:
        """Hand a body on even if its request was given up: its file has its last name, and would be found later."""
        if done.cancelled() or done.exception() is not None:
            self._release(body)
        else:
            self._thread.add_large(body)

    # -- other changes

    async def beat(self, beats: list[Beat]) -> None:
        """Note that writers live."""
        await self.call(lambda writer: writer.beat(beats))

    async def call(self, change: Callable[[Writer], T]) -> T:
        """Have the writing thread change something; changes that it returns, and those of projects, are published.

        Raises:
            Exception: Whatever ``change`` raised.
        """
        ticket = self._ticket()
        self._thread.add(Call(change, ticket))
        result: T = await ticket.future
        return result

    # -- results, from the writing thread

    def committed(self, group: Sequence[Small], applied: Applied) -> None:
        """All of a group is in the store; slices of a large body may have come behind it."""
        self._in_loop(self._on_committed, group, applied)

    def failed(self, tasks: Sequence[Small | Call], error: Exception) -> None:
        """Nothing of these is."""
        self._in_loop(self._on_failed, tasks, error)

    def called(self, task: Call, result: Any, changes: Sequence[Change]) -> None:
        """A call is done."""
        self._in_loop(self._on_called, task, result, changes)

    def finished(self, body: LoggedBody, *, refused: bool) -> None:
        """A large body is applied, or cannot be."""
        try:
            if refused:
                self._log.refuse(body.path)
            else:
                self._log.remove(body)
        except (OSError, FolderError) as error:  # it stays, and is tried again at the next start
            _logger.warning("livestream.studio_log_not_cleared", extra={"error": str(error)})
        self._in_loop(self._on_finished, body, refused)

    def _in_loop(self, what: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *arguments)

    def _on_committed(self, group: Sequence[Small], applied: Applied) -> None:
        self._counters.deliveries += len(group)
        self._on_applied(applied)
        for task, experiment in zip(group, applied.experiments, strict=False):
            self._resolve(task.ticket, experiment)

    def _on_applied(self, applied: Applied) -> None:
        self._counters.commits += 1
        self._counters.points_new += applied.points_new
        self._counters.points_known += applied.points_known
        self._counters.repeats += applied.repeats
        if applied.changes:
            self._publish(applied.changes)

    def _on_called(self, task: Call, result: object, changes: Sequence[Change]) -> None:
        if changes:
            self._publish(changes)
        if isinstance(result, Applied):
            self._on_applied(result)
        elif isinstance(result, list) and result and all(isinstance(item, Change) for item in result):
            self._publish(result)
        self._resolve(task.ticket, result)

    def _on_failed(self, tasks: Sequence[Small | Call], error: Exception) -> None:
        for task in tasks:
            self._resolve(task.ticket, error)

    def _on_finished(self, body: LoggedBody, refused: bool) -> None:  # noqa: FBT001 - called by position from a thread
        self._counters.large_refused += refused
        self._release(body)

    def _resolve(self, ticket: object, result: object) -> None:
        if not isinstance(ticket, _Ticket):
            return
        self._queued_bytes -= ticket.size
        if ticket.future.done():  # given up by its request
            return
        if isinstance(result, Exception):
            ticket.future.set_exception(result)
        else:
            ticket.future.set_result(result)

    def _ticket(self, size: int = 0) -> _Ticket:
        if self._loop is None or self._stopping:
            raise StoppedError
        return _Ticket(self._loop.create_future(), size)

    def _hold(self, body: LoggedBody) -> None:
        self._pending[_experiment(body.head.identity)] += 1
        self.pending_bytes += HEAD_BYTES + body.head.body_bytes
        self._kept_bytes += body.head.body_bytes if body.update is not None else 0

    def _release(self, body: LoggedBody) -> None:
        experiment = _experiment(body.head.identity)
        self._pending[experiment] -= 1
        if not self._pending[experiment]:
            del self._pending[experiment]
        self.pending_bytes -= HEAD_BYTES + body.head.body_bytes
        self._kept_bytes -= body.head.body_bytes if body.update is not None else 0


def _experiment(identity: Identity) -> _Experiment:
    return identity.repository, identity.baseline_sha, identity.name
