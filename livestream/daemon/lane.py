"""One experiment's way to its Studio: which writer is next, one update at a time, and what its answers mean.

Order. ``start`` goes before any data. The experiment's oldest primary that is not finished leads: its events go in
order, and with them those of the contributors, round and round. A ``done`` goes only when no other writer of the
experiment has anything to read. A primary that died without one gets it from here, with ``errors``, unless a newer
primary (a requeued job) has taken the experiment over. Contributors begin and end nothing.

A round. Read a little; if it is worth a request take a slot at the Studio, read the rest, make the update, commit the
plan, send its parts, and move the cursor in one transaction with the experiment's state. Whatever fails, the next round
begins from the books, so a crash, a retry and an ordinary round are one code path.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Final

import msgspec

from livestream.daemon.entry import Entry
from livestream.daemon.health import Studio
from livestream.daemon.repairs import repair
from livestream.daemon.sending import Answer, CurrentPlan, Round, Sender
from livestream.daemon.shared import Shared
from livestream.daemon.shipment import bytes_of, plan_for, take
from livestream.daemon.vault import NoDestination
from livestream.events import Data, Done, Record, Start
from livestream.pipeline.update import ExperimentState
from livestream.sinks.base import Capabilities
from livestream.spool.batch import Batch
from livestream.spool.rows import DeadLetter, ExperimentRow

logger = logging.getLogger("livestream.daemon")

GLANCE_BYTES: Final = 64 * 1024
"""Read before a slot is taken: enough to know whether there is more."""

READ_BYTES: Final = 3 * 1024 * 1024
"""Events of one update: decoded they take about ten times this, and that is what memory is bounded by.

Measured: the daemon's peak with 8 experiments at once, and the requests of one for 2 million points. 4 MiB: 142 MB, 19;
3 MiB: 126 MB, 25; 2 MiB: 110 MB, 36. The speed was the same.
"""
MAX_EVENTS: Final = 20_000
BEHIND_BYTES: Final = 8_000_000
"""What a full round, of events or of images, counts for in the Studio's bytes in flight: two go at once."""

NO_DESTINATION_S: Final = 5.0
IDLE_S: Final = 30.0
FAILED_S: Final = 5.0


class Lane:
    """One experiment's delivery, a task of its own."""

    def __init__(self, shared: Shared, row: ExperimentRow) -> None:
        self.experiment = row.experiment
        self.id = row.id
        self.entries: dict[str, Entry] = {}
        self.held: str | None = None
        self.wake = asyncio.Event()
        self.idle = False
        self._shared = shared
        self._sender = Sender(shared, row)
        self._turn = 0
        self._held_until = 0.0
        self._max_events = MAX_EVENTS
        self._stopping = False
        self._looked_before: tuple[str, int] | None = None
        self._letters: deque[DeadLetter] = deque()

    @property
    def state(self) -> ExperimentState:
        """What the Studio knows of the experiment by now."""
        return self._sender.account.state

    @property
    def queued(self) -> int:
        """Events that are not dealt with."""
        return sum(entry.queued for entry in self.entries.values())

    @property
    def is_through(self) -> bool:
        """Whether there is nothing to read and nothing to say."""
        return not self._letters and not any(
            entry.queued or entry.news or entry.complete for entry in self.entries.values() if not entry.finished
        )

    @property
    def all_gone(self) -> bool:
        """Whether no writer of the experiment has a folder any more."""
        return all(entry.gone for entry in self.entries.values())

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopping = True
        self.wake.set()

    def add(self, entry: Entry) -> None:
        """Follow one more writer."""
        self.entries[entry.uid] = entry
        self.wake.set()

    def retry(self, letter: DeadLetter) -> None:
        """Try a dead letter once more, before anything else."""
        if all(known.id != letter.id for known in self._letters):
            self._letters.append(letter)
        self.wake.set()

    def release(self) -> None:
        """Try once more what is held."""
        self._held_until = 0.0
        self.wake.set()

    async def run(self) -> None:
        """Deliver for ever; cancelled at the end."""
        while not self._stopping:
            self.wake.clear()
            try:
                pause_s = await self._step()
            except Exception:
                logger.exception("livestream.lane_failed", extra={"experiment": self.experiment.name})
                pause_s = FAILED_S
            self.idle = pause_s > 0
            if self.idle:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self.wake.wait()

    # -- one step

    async def _step(self) -> float:
        """Do one round; tell how long there is nothing to do, unless something wakes the lane."""
        wait_s = self._held_until - self._shared.clock()
        if wait_s > 0:
            return wait_s
        if self._letters and await self._repair(self._letters.popleft()):
            return 0.0
        work = await self._choose()
        if work is None:
            self.held = None
            return IDLE_S
        if not work.batch.records:
            await self._sender.account.pass_over(work.entry, work.batch)
            return 0.0
        return await self._deliver(work)

    async def _repair(self, letter: DeadLetter) -> bool:
        entry = self.entries.get(letter.writer)
        studio = self._shared.studio_for(entry.info) if entry is not None else None
        if entry is None or not isinstance(studio, Studio) or studio.blocked_s > 0:
            return False
        if await self._shared.learn(studio) is not None:
            await repair(self._shared, entry, studio, self.state, letter)
        return True

    async def _deliver(self, work: _Work) -> float:
        later = [entry.info for uid, entry in sorted(self.entries.items()) if uid > work.entry.uid]
        studio = self._shared.studio_for(work.entry.info, later)
        if isinstance(studio, NoDestination):
            return await self._wait_for_destination(studio)
        if studio.blocked_s > 0:
            self.held = studio.held
            return min(studio.blocked_s, NO_DESTINATION_S)  # meanwhile a DVC config may name another token
        if await self._shared.learn(studio) is None:
            self.held = studio.held
            return min(studio.blocked_s or FAILED_S, NO_DESTINATION_S)
        self.held = None
        size = BEHIND_BYTES if work.batch.more else max(1, min(BEHIND_BYTES, bytes_of(work.batch.records)))
        async with studio.slot(size):
            answer, events = await self._round(work, studio)
        if answer.hold is not None:
            self.held = answer.hold
            self._held_until = self._shared.clock() + answer.wait_s
        if answer.halve:
            self._max_events = max(1, events // 2)
        elif answer.accepted:
            self._max_events = min(MAX_EVENTS, max(self._max_events, events) * 2)
        return answer.wait_s

    async def _round(self, work: _Work, studio: Studio) -> tuple[Answer, int]:
        entry = work.entry
        if work.virtual:
            plan = CurrentPlan(plan_for(studio.capabilities or Capabilities()))
            answer = await self._sender.send(Round(entry, studio, plan, work.batch.records, work.batch, virtual=True))
            return answer, 1
        plan = await self._sender.plan_of(entry, studio)
        batch = work.batch
        max_events = 1 if entry.suspected else plan.max_events(self._max_events)
        if batch.more and len(batch.records) < max_events:
            batch = await entry.reader.read(entry.read_from, READ_BYTES, MAX_EVENTS, emitted=entry.emitted)
        records = plan.records(batch.records)
        if not records:
            plan = plan.anew()
            records = take(batch.records, plan.content.profile, max_events)
        _measure(entry, batch.records)
        return await self._sender.send(Round(entry, studio, plan, records, batch)), len(records)

    async def _wait_for_destination(self, missing: NoDestination) -> float:
        self.held = missing.reason
        if self._shared.say_once(f"experiment {self.id}", missing.reason):
            logger.warning(
                "livestream.nowhere_to_send", extra={"experiment": self.experiment.name, "reason": missing.reason}
            )
            await self._shared.books.do(
                lambda books: books.hold_experiment(self.id, missing.reason, self._shared.wall())
            )
        return NO_DESTINATION_S

    # -- whose turn it is

    @property
    def has_begun(self) -> bool:
        """Whether data may go: ``start`` went, or all who write are guests, whose host has said it."""
        return self.state.started or all(entry.info.guest for entry in self.entries.values())

    async def _choose(self) -> _Work | None:
        """Find the next thing to send or to pass over; finish the writers that are through."""
        live = [self.entries[uid] for uid in sorted(self.entries) if not self.entries[uid].finished]
        leader = _leader(live)
        if not self.has_begun:
            return await self._opening(leader, live)
        last_word: _Work | None = None
        for entry in self._in_turn(_before_successors(live, leader)):
            work = await self._glance(entry)
            if work is None:
                continue
            if work.batch.records and isinstance(work.batch.records[0].event, Done):
                if entry is not leader:
                    await self._sender.account.pass_over(entry, work.batch, work.batch.records[:1])
                    return await self._choose()
                last_word = work
                continue
            return work
        work = last_word or await self._ending(leader, live)
        if work is not None and not await self._has_looked_before(work):
            return await self._choose()
        return self._after_the_dead(live, work)

    async def _has_looked_before(self, end: _Work) -> bool:
        """Before an end is told, look once for what other writers have written by now."""
        place = end.entry.uid, end.batch.records[0].seq if end.batch.records else end.batch.last
        if self._looked_before == place:
            return True
        self._looked_before = place
        await self._shared.look_everywhere()
        for entry in self.entries.values():
            entry.news = not entry.finished
        return False

    def _after_the_dead(self, live: list[Entry], work: _Work | None) -> _Work | None:
        """Keep ``done`` back while the last rows of a dead contributor are being recovered."""
        now = self._shared.clock()
        awaited = work is not None and any(
            entry.awaited and not entry.is_alive(now, inf) for entry in live if entry is not work.entry
        )
        return None if awaited else work

    def _in_turn(self, live: list[Entry]) -> list[Entry]:
        """Order the writers so that each comes first in its turn."""
        self._turn += 1
        place = self._turn % len(live) if live else 0
        return live[place:] + live[:place]

    async def _glance(self, entry: Entry) -> _Work | None:
        if not entry.news:
            return None
        entry.news = False  # before the read: what is written meanwhile is news again
        batch = await entry.reader.read(entry.read_from, GLANCE_BYTES, MAX_EVENTS, emitted=entry.emitted)
        if not batch.records and not batch.problems:
            return None
        entry.news = True
        entry.emitted = max(entry.emitted, batch.last)
        if batch.records:
            entry.oldest = batch.records[0].event.time
        return _Work(entry, batch)

    async def _opening(self, leader: Entry | None, live: list[Entry]) -> _Work | None:
        """Open the experiment: with its primary's ``start``, or in its place where there is none."""
        for entry in [leader] if leader is not None else live:
            work = await self._glance(entry)
            if work is not None:
                records = work.batch.records
                return work if not records or isinstance(records[0].event, Start) else self._virtual(entry, _start())
        if leader is not None and leader.drained:
            await self._finish(leader)
            return await self._choose()
        return None

    async def _ending(self, leader: Entry | None, live: list[Entry]) -> _Work | None:
        """Finish what is through; say ``done`` for a primary that died without, but not for one that ended itself."""
        for entry in live:
            if entry is not leader and entry.drained:
                await self._finish(entry)
        if leader is None or not leader.drained:
            return None
        taken_over = any(entry.primary and entry.uid > leader.uid for entry in live)
        left_open = leader.counters().closed  # its process said all it had to say; another one may say `done`
        if not self.state.done and not taken_over and not left_open:
            return self._virtual(leader, Done(time=self._shared.wall(), errors=[leader.obituary()]))
        await self._finish(leader)
        return await self._choose()

    async def _finish(self, entry: Entry) -> None:
        if entry.suspects:
            await self._sender.account.commit(entry, entry.read_from, [], None)
        entry.finished = True
        await self._shared.books.do(lambda books: books.mark_finished(entry.uid, self._shared.wall()))

    def _virtual(self, entry: Entry, event: Start | Done) -> _Work:
        seq = entry.emitted + 1 if isinstance(event, Done) else entry.cursor
        return _Work(entry, Batch([Record(seq, event, 0)], [], entry.cursor, more=False), virtual=True)


class _Work(msgspec.Struct, frozen=True):
    """What a step does: send, or where there are only problems, pass over."""

    entry: Entry
    batch: Batch
    virtual: bool = False


def _start() -> Start:
    return Start(time=0.0)


def _leader(live: list[Entry]) -> Entry | None:
    """Find the primary whose end is the experiment's: the oldest, so that a resumed run comes after the one before it.

    A newer primary holds the experiment's lock, so the older one has ended or died; its queue is complete in a moment.
    Where that cannot be seen (on another host it takes a while), the older counts as a contributor of the newest.
    """
    primaries = [entry for entry in live if entry.primary]
    known = [entry for entry in primaries if entry.complete or entry.awaited]
    return next(iter(known or primaries[-1:]), None)


def _before_successors(live: list[Entry], leader: Entry | None) -> list[Entry]:
    """Leave out the primaries that come after the leader: it is their turn when its end is told."""
    return [entry for entry in live if leader is None or not entry.primary or entry.uid <= leader.uid]


def _measure(entry: Entry, records: Sequence[Record]) -> None:
    if records:
        entry.bytes_per_event = sum(map(_stored_bytes, records)) / len(records)


def _stored_bytes(record: Record) -> int:
    """Give an event's size on the disk, its images included."""
    if not isinstance(record.event, Data) or not record.event.images:
        return record.size
    return record.size + sum(image.size for image in record.event.images.values() if image.blob is not None)
