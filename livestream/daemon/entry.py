"""A writer's queue as the daemon follows it: is there news in it, does its writer live, is it complete.

A queue is *complete* when nobody will write it again and everything its writer accepted is in sealed segments: its lock
is free (or, on another host, its heartbeat has not moved for ``orphan_after_s``), and recovery has been through it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from livestream.events import Problem, Record
from livestream.spool.journal import Counters, read_counters
from livestream.spool.layout import (
    JOURNAL_FILE,
    LOCK_FILE,
    WriterInfo,
    boot_id,
    is_locked,
    read_heartbeat,
    segment_numbers,
    segment_path,
)
from livestream.spool.pool import ReaderPool
from livestream.spool.reader import SpoolReader
from livestream.spool.rows import DeadLetter, Tally, WriterRow
from livestream.spool.salvage import extent

Signature = tuple[tuple[str, int, int], ...]
_NEWS: Final = (".db", ".db-wal", ".sealed")
_SIGTERM: Final = 15
_SIGNALS: Final = {_SIGTERM: "SIGTERM"}


class Waiting(msgspec.Struct, frozen=True):
    """A writer's events that wait on this node; ``bytes`` is estimated by those that were read last."""

    rows: int
    bytes: int
    oldest_s: float


class Entry:
    """One writer of a spool."""

    def __init__(self, folder: Path, info: WriterInfo, row: WriterRow, pool: ReaderPool) -> None:
        self.folder = folder
        self.info = info
        self.uid = info.uid
        self.cursor = row.cursor
        self.emitted = row.emitted
        self.delivered = row.delivered
        self.dead = row.dead
        self.finished = row.finished
        self.gone = row.gone
        self.complete = False
        self.beyond_recovery = False
        self.news = True
        self.oldest: float | None = None
        self.bytes_per_event = 0.0
        self.tally: Tally | None = None
        self.suspects: list[DeadLetter] = []
        self.suspected = 0
        self.reader = SpoolReader(folder, pool, shared=info.shared)
        self._signature: Signature = ()
        self._beat = b""
        self._beat_seen_at: float | None = None

    @property
    def primary(self) -> bool:
        """Whether its end, or its death, ends the experiment."""
        return self.info.role == "primary"

    @property
    def drained(self) -> bool:
        """Whether everything that will ever be in it is dealt with, or put aside with nothing to follow."""
        return self.complete and self.read_from >= self.emitted

    @property
    def read_from(self) -> int:
        """Where to read on: behind the cursor, and behind what is put aside until the next event's answer."""
        return max((letter.seq + letter.count - 1 for letter in self.suspects), default=self.cursor)

    @property
    def awaited(self) -> bool:
        """Whether its queue, on this host, is not complete yet and will be as soon as its writer has ended."""
        return not self.complete and not self.beyond_recovery and self.info.boot_id == boot_id()

    def suspect(self, letters: list[DeadLetter]) -> None:
        """Put one refused event aside, the last of these letters; the others could not be read before it."""
        self.suspects += letters
        self.suspected += 1

    def clear_suspects(self) -> None:
        """Their fate is decided."""
        self.suspects = []
        self.suspected = 0

    @property
    def refused(self) -> int:
        """Events that its writer refused, by its last tally."""
        return sum(self.tally.refused.values()) if self.tally is not None else 0

    @property
    def queued(self) -> int:
        """Events known to be in it and not dealt with."""
        return max(0, self.emitted - self.cursor)

    def waiting(self, now: float, behind: Record | None = None) -> Waiting:
        """Say what waits; ``now`` is in seconds since the epoch.

        Args:
            behind: Only what comes after this event; the age is at most what is said then, for that is this event's.
        """
        rows = self.queued if behind is None else max(0, self.emitted - behind.seq)
        oldest = self.oldest if behind is None else behind.event.time
        oldest_s = max(0.0, now - oldest) if rows and oldest is not None else 0.0
        return Waiting(rows, int(rows * self.bytes_per_event), oldest_s)

    def losses(self) -> dict[str, int]:
        """Count what its writer refused, by reason, and trimmed."""
        counters = self.counters()
        return {**counters.refused, **({"trimmed": counters.trimmed} if counters.trimmed else {})}

    def is_alive(self, now: float, orphan_after_s: float) -> bool:
        """Whether its writer lives; ``now`` is the daemon's own monotonic clock."""
        if self.info.boot_id == boot_id():
            return is_locked(self.folder / LOCK_FILE)
        beat = read_heartbeat(self.folder)
        if beat != self._beat or self._beat_seen_at is None:
            self._beat, self._beat_seen_at = beat, now
        return now - self._beat_seen_at < orphan_after_s

    def look(self) -> bool:
        """See by the files' sizes and times whether something was written since the last look."""
        signature = _signature(self.folder)
        changed = signature != self._signature
        self._signature = signature
        self.news = self.news or changed
        return changed

    def count_emitted(self) -> int:
        """Count what the segments hold, from their last numbers; blocks on SQLite for a fraction of a millisecond."""
        last = self.emitted
        for number in reversed(segment_numbers(self.folder)):
            path = segment_path(self.folder, number)
            if self.info.shared and not path.with_suffix(".sealed").exists():
                continue
            found = extent(path).last_seq
            if found:
                last = max(last, found)
                break
        self.emitted = last
        return last

    def counters(self) -> Counters:
        """Read what the writer refused and trimmed, and what ended it, from its journal."""
        try:
            return read_counters(self.folder / JOURNAL_FILE)
        except (OSError, ValueError, RuntimeError):
            return Counters({}, 0, 0)

    def obituary(self) -> Problem:
        """Say how a writer ended that left no ``done``."""
        where = f"process {self.info.pid} on {self.info.host}"
        number = self.counters().signal
        if number:
            name = _SIGNALS.get(number, f"signal {number}")
            return Problem("livestream.Terminated", f"{name} ended {where}")
        return Problem("livestream.WriterDied", f"{where} ended without saying so: it was killed, or it crashed")


def _signature(folder: Path) -> Signature:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(_NEWS):
                    status = entry.stat()
                    found.append((entry.name, status.st_size, status.st_mtime_ns))
    except OSError:
        return ()
    return tuple(sorted(found))
