"""From commits to the pages that are open: what changed, at the pace that a page can draw, to whoever listens.

A run that logs a thousand times a second is news four times a second: the first change of an experiment goes out at
once, what follows within ``PACE_S`` is merged into one. A change is serialised once, whoever listens.

What a listener has seen is one number, a place in the store's change log, so that it can come back after a break and
be told the rest. Merging holds changes back, out of order between experiments; so a packet's ``resume`` is the last
place before which nothing is held back, not its own. A listener that is too slow is told to start afresh: it costs
neither memory nor the others' time.

Everything here belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import Final, Self

import msgspec

from livestream.events import JsonObject
from livestream.studio.store.base import Change, ChangeKind

PACE_S: Final = 0.25
MAX_QUEUED: Final = 1_000
"""Packets that wait for one listener; over it, it is told to start afresh."""

_RANKS: Final[dict[ChangeKind, int]] = {"data": 0, "facts": 1, "project": 1, "deleted": 2, "restored": 2}


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change as it is told to pages: what the change log has, and what is known only while it is new.

    Attributes:
        seq: Its place in the change log.
        experiment: Its id; 0: the projects changed.
        kind: ``data``: it has more to show; ``facts``: ask for it anew, its status or its facts changed.
        time: Seconds since the epoch.
        metrics: File to the leaves that changed, as ``params``; only in ``/api/feed``, as ``step`` and ``plots``.
        step: The highest step, if it changed.
        plots: Paths of plots that have something new.
    """

    seq: int
    experiment: int
    kind: ChangeKind
    time: float
    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    step: int | None = None
    plots: list[str] = []


def news_of(change: Change) -> News:
    """Tell a change."""
    return News(
        seq=change.seq,
        experiment=change.experiment,
        kind=change.kind,
        time=change.time_us / 1_000_000,
        metrics=change.metrics,
        params=change.params,
        step=change.step,
        plots=change.plots,
    )


def encoded(change: Change | None, resume: int) -> bytes:
    """Write a change, or the call to start afresh, as an event of a server-sent stream."""
    event = b"change" if change is not None else b"reset"
    content: object = news_of(change) if change is not None else {"seq": resume}
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (resume, event, msgspec.json.encode(content))


class Packet:
    """One piece of news.

    Attributes:
        change: What changed; None: start afresh, for something was missed.
        resume: A listener that has this packet has everything up to here.
        passing: Of the moment, not in the change log: whoever listens now is told.
    """

    def __init__(self, change: Change | None, resume: int, *, passing: bool = False) -> None:
        self.change = change
        self.resume = resume
        self.passing = passing

    @cached_property
    def encoded(self) -> bytes:
        """Write it as an event of a server-sent stream; once, whoever listens."""
        return encoded(self.change, self.resume)


class Subscription:
    """One listener's queue; use it as a context."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queue: deque[Packet] = deque()
        self._news = asyncio.Event()
        self.resets = 0

    def __enter__(self) -> Self:
        self._broker.join(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._broker.leave(self)

    def put(self, packet: Packet) -> None:
        """Queue a packet; a queue that is full is thrown away for one that says so."""
        if len(self._queue) >= MAX_QUEUED:
            self._queue.clear()
            self.resets += 1
            packet = Packet(None, self._broker.resume)
        self._queue.append(packet)
        self._news.set()

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._news.set()

    async def take(self, timeout_s: float) -> list[Packet]:
        """Wait for news, and give all there is; nothing where the time is over or the broker closed."""
        if not self._queue and not self._broker.closed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return []
        self._news.clear()
        packets = list(self._queue)
        self._queue.clear()
        return packets


class Broker:
    """Takes changes from commits and hands them to subscriptions.

    Attributes:
        last_seq: The newest place in the change log that is known here.
        waiting: How many wait in `wait_beyond`.
        closed: Nothing comes any more; listeners end.
    """

    def __init__(self, last_seq: int = 0, pace_s: float = PACE_S) -> None:
        self.last_seq = last_seq
        self.waiting = 0
        self.closed = False
        self._pace_s = pace_s
        self._subscriptions: set[Subscription] = set()
        self._held: dict[int, Change | None] = {}
        self._held_since: dict[int, int] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._advanced = asyncio.Event()

    @property
    def listeners(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    @property
    def resume(self) -> int:
        """The place in the change log up to which nothing is held back."""
        return min((seq - 1 for seq in self._held_since.values()), default=self.last_seq)

    def subscribe(self) -> Subscription:
        """Give a new queue that fills while it is entered."""
        return Subscription(self)

    def join(self, subscription: Subscription) -> None:
        """Begin to fill a queue."""
        self._subscriptions.add(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Stop filling a queue."""
        self._subscriptions.discard(subscription)

    def publish(self, changes: Sequence[Change]) -> None:
        """Take the changes of a commit, in the order of their numbers; call it after the commit."""
        if not changes or self.closed:
            return
        self.last_seq = max(self.last_seq, *(change.seq for change in changes))
        for change in changes:
            self._offer(change)
        self._advanced.set()
        self._advanced = asyncio.Event()

    def publish_passing(self, experiment: int, time_us: int) -> None:
        """Tell that time alone changed what an experiment is called; nothing was committed."""
        change = Change(seq=self.resume, experiment=experiment, kind="facts", time_us=time_us)
        packet = Packet(change, self.resume, passing=True)
        for subscription in self._subscriptions:
            subscription.put(packet)

    async def wait_beyond(self, seq: int, timeout_s: float) -> bool:
        """Wait until there is anything after ``seq``; False where the time is over first."""
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                while self.last_seq <= seq and not self.closed:
                    await self._advanced.wait()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
        return self.last_seq > seq

    def close(self) -> None:
        """Send what is held back, and let all listeners end."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for experiment in list(self._held):
            self._flush(experiment)
        self.closed = True
        self._advanced.set()
        for subscription in self._subscriptions:
            subscription.wake()

    def _offer(self, change: Change) -> None:
        experiment = change.experiment
        if experiment in self._held:
            held = self._held[experiment]
            self._held[experiment] = change if held is None else merged(held, change)
            self._held_since.setdefault(experiment, change.seq)
            return
        self._send(change)
        self._hold(experiment)

    def _hold(self, experiment: int) -> None:
        """Keep further changes of an experiment for a while."""
        self._held[experiment] = None
        self._timers[experiment] = asyncio.get_running_loop().call_later(self._pace_s, self._release, experiment)

    def _release(self, experiment: int) -> None:
        del self._timers[experiment]
        if self._flush(experiment):
            self._hold(experiment)

    def _flush(self, experiment: int) -> bool:
        """Send what is held back of an experiment, if anything is."""
        change = self._held.pop(experiment)
        self._held_since.pop(experiment, None)
        if change is not None:
            self._send(change)
        return change is not None

    def _send(self, change: Change) -> None:
        if self._subscriptions:
            packet = Packet(change, min(change.seq, self.resume))
            for subscription in self._subscriptions:
                subscription.put(packet)


def merged(older: Change, newer: Change) -> Change:
    """Make one change of two of the same experiment: what a page must know when it has seen neither."""
    is_newer_kind = _RANKS[newer.kind] >= _RANKS[older.kind]
    return Change(
        seq=newer.seq,
        experiment=newer.experiment,
        kind=newer.kind if is_newer_kind else older.kind,
        time_us=newer.time_us,
        metrics=_over(older.metrics, newer.metrics),
        params=_over(older.params, newer.params),
        step=newer.step if newer.step is not None else older.step,
        plots=list(dict.fromkeys([*older.plots, *newer.plots])),
    )


def _over(older: dict[str, JsonObject], newer: dict[str, JsonObject]) -> dict[str, JsonObject]:
    """Lay changed leaves over changed leaves."""
    result: JsonObject = dict(older)
    for name, value in newer.items():
        below = result.get(name)
        result[name] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
