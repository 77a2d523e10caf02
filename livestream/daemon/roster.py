"""Who writes into the spool: finds the writers, looks after their queues, and clears up behind them.

Once a second, and when inotify says so, every queue is looked at: new folders are met, sizes and times tell whether
something was written, locks tell whether its writer lives. A dead writer's queue is recovered first, and removed when
everything in it is dealt with. Nothing here sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from livestream.daemon.entry import Entry
from livestream.daemon.lane import Lane
from livestream.daemon.shared import Shared
from livestream.errors import CorruptSpoolError, SpoolError, SpoolFormatError
from livestream.spool.dead_blobs import sweep_dead_blobs
from livestream.spool.layout import (
    WRITER_FILE,
    WriterInfo,
    read_writer_info,
    sealed_path,
    segment_numbers,
    segment_path,
    writer_folders,
)
from livestream.spool.pool import ReaderPool
from livestream.spool.recovery import recover
from livestream.spool.rows import DeadLetter, ExperimentRow, NewWriter, Tally
from livestream.spool.unlink import remove_unborn, remove_writer, sweep, unlink_delivered

logger = logging.getLogger("livestream.daemon")

RECOVER_AGAIN_S: Final = 2.0
CLEAR_UP_S: Final = 1.0


class RosterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the roster judges: see the daemon's options."""

    orphan_after_s: float
    retention_s: float


class Roster:
    """All writers of a spool, by experiment."""

    def __init__(self, shared: Shared, options: RosterOptions) -> None:
        self.lanes: dict[int, Lane] = {}
        self.newer = False
        self._shared = shared
        self._options = options
        self._pool = ReaderPool()
        self._entries: dict[str, Entry] = {}
        self._lane_of: dict[str, Lane] = {}
        self.retired = Totals()
        self._left_alone: set[str] = set()
        self._recover_at: dict[str, float] = {}
        self._clear_at: dict[str, float] = {}
        self._cleared: dict[str, tuple[int, int]] = {}

    async def sweep(self) -> None:
        """Clear up behind a daemon that was killed, and behind writers that were never born."""
        spool, wall = self._shared.spool, self._shared.wall()
        known = await self._shared.books.do(lambda books: books.letters.blobs())
        await asyncio.to_thread(sweep_dead_blobs, spool, known)
        for folder in writer_folders(spool):
            born = (folder / WRITER_FILE).exists()
            try:
                await asyncio.to_thread(sweep, folder) if born else await asyncio.to_thread(remove_unborn, folder, wall)
            except (OSError, SpoolError) as error:
                logger.warning("livestream.not_swept", extra={"folder": str(folder), "error": str(error)})

    async def close(self) -> None:
        """Close what is open."""
        await self._pool.close()

    @property
    def entries(self) -> Iterator[Entry]:
        """The writers whose folders are there."""
        return (entry for entry in self._entries.values() if not entry.gone)

    def is_live(self) -> bool:
        """Whether any writer lives."""
        return any(not entry.complete for entry in self.entries)

    @property
    def recovering(self) -> bool:
        """Whether a dead writer's queue is not complete yet."""
        now = self._shared.clock()
        return any(
            not entry.complete and not entry.is_alive(now, self._options.orphan_after_s) for entry in self.entries
        )

    async def look(self, names: set[str] | None = None) -> list[Lane]:
        """Look at every queue; or, where inotify named writers, only wake their lanes. Give the lanes that are new."""
        fresh = []
        for folder in writer_folders(self._shared.spool):
            if folder.name not in self._entries and folder.name not in self._left_alone:
                with self._containing(folder.name):
                    lane = await self._meet(folder)
                    fresh += [] if lane is None else [lane]
        for entry in list(self.entries):
            if names is None:
                with self._containing(entry.uid):
                    await self._look_at(entry)
            elif entry.uid in names:
                entry.news = True
                self._lane_of[entry.uid].wake.set()
        return fresh

    async def _meet(self, folder: Path) -> Lane | None:
        """Take a writer in; give its lane where that is new."""
        try:
            info = read_writer_info(folder)
        except SpoolFormatError as error:
            self.newer = True
            self._leave_alone(folder, error)
            return None
        except CorruptSpoolError as error:
            self._leave_alone(folder, error)
            return None
        if info is None:
            return None  # still being born
        shared, now = self._shared, self._shared.wall()
        row = await shared.books.do(lambda books: books.ensure_experiment(info.experiment))
        new = NewWriter(uid=info.uid, experiment_id=row.id, role=info.role, info=msgspec.json.encode(info), at=now)
        writer = await shared.books.do(lambda books: books.ensure_writer(new))
        return self._follow(Entry(folder, info, writer, self._pool), row)

    def _leave_alone(self, folder: Path, error: SpoolError) -> None:
        self._left_alone.add(folder.name)
        logger.error("livestream.writer_left_alone", extra={"folder": str(folder), "reason": str(error)})

    @contextmanager
    def _containing(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # one folder's trouble must not keep the others from being looked after
            if self._shared.say_once(f"queue {name}", str(error)):
                logger.exception("livestream.queue_trouble", extra={"writer": name})

    async def _look_at(self, entry: Entry) -> None:
        changed = entry.look()
        now = self._shared.clock()
        if not entry.complete and not entry.is_alive(now, self._options.orphan_after_s):
            changed = await self._recover(entry, now) or changed
        if changed:
            await self._count(entry)
            self._lane_of[entry.uid].wake.set()
        await self._clear_up(entry, now)

    async def _recover(self, entry: Entry, now: float) -> bool:
        """Make a dead writer's queue complete; tell whether it is now."""
        if now < self._recover_at.get(entry.uid, 0.0):
            return False
        self._recover_at[entry.uid] = now + RECOVER_AGAIN_S
        for number in segment_numbers(entry.folder):
            await self._pool.forget(segment_path(entry.folder, number))
        try:
            recovered = await asyncio.to_thread(
                recover, entry.folder, shared=entry.info.shared, cursor=entry.cursor, emitted=entry.emitted
            )
        except (OSError, SpoolError) as error:
            logger.warning("livestream.not_recovered", extra={"writer": entry.uid, "error": str(error)})
            entry.beyond_recovery = True  # as far as others wait for it
            self._lane_of[entry.uid].wake.set()
            return False
        if recovered.outcome != "done":
            return False
        entry.emitted = max(entry.emitted, recovered.last_seq)
        entry.complete = entry.news = True
        entry.look()
        return True

    async def _count(self, entry: Entry) -> None:
        """Bring the writer's accounts up to date."""
        before = entry.emitted
        await asyncio.to_thread(entry.count_emitted)
        counters = entry.counters()
        tally = Tally(
            writer=entry.uid,
            emitted=entry.emitted,
            refused=counters.refused,
            trimmed=counters.trimmed,
            at=self._shared.wall(),
        )
        if (before, entry.tally) != (entry.emitted, msgspec.structs.replace(tally, at=0.0)):
            entry.tally = msgspec.structs.replace(tally, at=0.0)
            await self._shared.books.do(lambda books: books.set_emitted(tally))

    async def _clear_up(self, entry: Entry, now: float) -> None:
        """Remove what is delivered, and in the end the folder."""
        if now < self._clear_at.get(entry.uid, 0.0) and not entry.finished:
            return
        self._clear_at[entry.uid] = now + CLEAR_UP_S
        paths = [segment_path(entry.folder, number) for number in segment_numbers(entry.folder)]
        held = entry.cursor, sum(sealed_path(path).exists() for path in paths)
        if self._cleared.get(entry.uid) == held and not entry.finished and not self._options.retention_s:
            return
        before = self._shared.wall() - self._options.retention_s if self._options.retention_s else None
        await self._forget(entry)
        await asyncio.to_thread(unlink_delivered, entry.folder, entry.cursor, sealed_before=before)
        if self._options.retention_s and segment_numbers(entry.folder):
            return
        self._cleared[entry.uid] = held  # only now: what could not be removed is tried again
        if entry.finished and await asyncio.to_thread(remove_writer, entry.folder, entry.cursor):
            entry.gone = True
            await self._shared.books.do(lambda books: books.mark_gone(entry.uid, self._shared.wall()))

    async def clear_up(self) -> None:
        """Remove the folders of the writers that are through: for a daemon that ends."""
        for entry in list(self.entries):
            if entry.finished:
                with self._containing(entry.uid):
                    await self._clear_up(entry, self._shared.clock())

    async def _forget(self, entry: Entry) -> None:
        """Close the segments that may go."""
        for number in segment_numbers(entry.folder):
            path = segment_path(entry.folder, number)
            if entry.complete or sealed_path(path).exists():
                await self._pool.forget(path)

    # -- lanes

    def _follow(self, entry: Entry, row: ExperimentRow) -> Lane | None:
        """Put a writer into its experiment's lane; give the lane where it is new."""
        self._entries[entry.uid] = entry
        known = self.lanes.get(row.id)
        lane = known or Lane(self._shared, row)
        self.lanes[row.id] = self._lane_of[entry.uid] = lane
        lane.add(entry)
        return lane if known is None else None

    async def take_back(self, letter: DeadLetter) -> Lane | None:
        """Give a dead letter to its experiment's lane, also where its writer's folder is long gone.

        Returns:
            The lane where it is new.
        """
        shared, fresh = self._shared, None
        if letter.writer not in self._entries:
            writer = await shared.books.do(lambda books: books.writer(letter.writer))
            row = await shared.books.do(lambda books: books.experiment(letter.experiment_id))
            if writer is None or row is None:
                return None
            info = msgspec.json.decode(writer.info, type=WriterInfo)
            fresh = self._follow(Entry(shared.spool / writer.uid, info, writer, self._pool), row)
        self._lane_of[letter.writer].retry(letter)
        return fresh

    def retire(self) -> list[Lane]:
        """Forget the experiments whose writers are all gone, so that a daemon that runs for months stays small."""
        over = [lane for lane in self.lanes.values() if lane.idle and lane.is_through and lane.all_gone]
        for lane in over:
            del self.lanes[lane.id]
            for entry in lane.entries.values():
                self.retired.add(entry)
                for kept in (self._entries, self._lane_of, self._recover_at, self._clear_at, self._cleared):
                    kept.pop(entry.uid, None)
        return over


class Totals(msgspec.Struct):
    """Sums over writers that are no longer followed, in events."""

    emitted: int = 0
    delivered: int = 0
    dead: int = 0
    refused: int = 0

    def add(self, entry: Entry) -> None:
        """Add one writer's."""
        self.emitted += entry.emitted
        self.delivered += entry.delivered
        self.dead += entry.dead
        self.refused += entry.refused
