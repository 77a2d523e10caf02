"""The thread behind a writer: moves the journal, syncs, seals, prepares, beats, and sees to it that a daemon runs.

It has two gaits. While events arrive it wakes every 50 ms, by itself, so that ``append`` signals nobody. After half a
second without one it goes to sleep until the next deadline, and the next ``append`` wakes it: a lone event is on its
way at once, and an idle training costs nothing.

    move      every 50 ms         journal -> segment, one transaction
    sync      every second        fdatasync of the WAL and of new blobs, only after something was written
    seal      16 MiB of WAL; on a shared filesystem every 5 s in the first minute, then every 30 s, if there is news
    look      every 5 s           is the folder still there, how full is the spool, does a daemon serve it
    beat      every 10 s          the heartbeat

It never raises and never ends by itself: what fails is logged once and tried again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from livestream.spool.launch import CHECK_S, Caretaker, read_published
from livestream.spool.layout import BALLAST_FILE, HEARTBEAT_S, folder_bytes
from livestream.spool.quota import allowance
from livestream.spool.writer import SpoolWriter

logger = logging.getLogger("livestream")

MOVE_S: Final = 0.05
SYNC_S: Final = 1.0
STUCK_RETRY_S: Final = 0.5
_ROUNDS_TO_IDLE: Final = 10
_SHARED_SEAL_YOUNG_S: Final = 5.0
_SHARED_SEAL_S: Final = 30.0
_YOUNG_S: Final = 60.0
_PUBLISHED_FRESH_S: Final = 30.0
_WALK_S: Final = 60.0
_FINISH_TRIES: Final = 100


class Helper:
    """The helper thread of one writer."""

    def __init__(self, writer: SpoolWriter, caretaker: Caretaker, on_vanished: Callable[[], None]) -> None:
        """Start the thread; ``on_vanished`` is called from it when the writer's folder is no longer there."""
        self._writer = writer
        self._caretaker = caretaker
        self._on_vanished = on_vanished
        self._spool = writer.folder.parent
        self._born = self._last_sync = self._last_seal = time.monotonic()
        self._next_look = self._next_tend = 0.0
        self._next_beat = self._born + HEARTBEAT_S
        self._beats = 0
        self._sealed_seq = 0
        self._synced_seq = 0
        self._walked_at = float("-inf")
        self._base_bytes = 0
        self._base_appended = 0
        self._ending = False
        self.ended = threading.Event()
        self.introduced = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livestream-helper", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ask the thread to seal the queue and end; returns at once."""
        self._ending = True
        self._writer.idle = False
        self._writer.wake.set()

    def _run(self) -> None:
        quiet_rounds = 0
        while True:
            try:
                quiet_rounds = 0 if self._round() else quiet_rounds + 1
            except Exception:
                logger.exception("livestream.helper_failed", extra={"spool": str(self._writer.folder)})
            if self._ending:
                break
            if self._writer.stuck:
                self._sleep(STUCK_RETRY_S)
            elif quiet_rounds < _ROUNDS_TO_IDLE:
                self._sleep(MOVE_S)
            else:
                self._sleep_until_wanted()
        self._finish()

    def _sleep(self, seconds: float) -> None:
        self._writer.wake.wait(seconds)
        self._writer.wake.clear()

    def _sleep_until_wanted(self) -> None:
        writer = self._writer
        writer.idle = True
        if writer.pending or self._ending:
            writer.idle = False
            return
        self._sleep(max(MOVE_S, self._next_deadline() - time.monotonic()))
        writer.idle = False

    def _next_deadline(self) -> float:
        deadlines = [self._next_look, self._next_tend, self._next_beat]
        if self._is_unsynced():
            deadlines.append(self._last_sync + SYNC_S)
        if self._is_unsealed():
            deadlines.append(self._last_seal + self._seal_interval_s())
        return min(deadlines)

    def _round(self) -> bool:
        """Do what is due; tell whether events were moved."""
        writer = self._writer
        now = time.monotonic()
        before = writer.pending
        if not writer.drain():
            self._make_room()
        if now - self._last_sync >= SYNC_S and self._is_unsynced():
            self._last_sync, self._synced_seq = now, writer.seq
            writer.sync()
            self._next_look = min(self._next_look, now) if not writer.is_in_place() else self._next_look
        self._seal(now)
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT_S
            self._beats += 1
            writer.beat(self._beats)
        if now >= self._next_tend:
            self._next_tend = now + self._caretaker.tend(now)
            if self._caretaker.introduced:
                self.introduced.set()
        if now >= self._next_look:
            self._next_look = now + CHECK_S
            self._look(now)
        writer.allowance = allowance(self._used_bytes(), writer.options.quota_bytes)
        return before

    def _seal(self, now: float) -> None:
        writer = self._writer
        try:
            wal_bytes = writer.wal_bytes()
            due = self._is_unsealed() and now - self._last_seal >= self._seal_interval_s()
            if wal_bytes >= writer.segment_wal_bytes or due:
                self._sealed_seq = writer.rotate()
                self._last_seal = now
            elif wal_bytes >= writer.segment_wal_bytes // 2:
                writer.prepare()
            writer.finish_sealing()
        except (OSError, sqlite3.Error) as error:
            if not writer.stuck:
                logger.warning(
                    "livestream.segment_not_sealed", extra={"spool": str(writer.folder), "error": str(error)}
                )

    def _is_unsynced(self) -> bool:
        return self._writer.seq != self._synced_seq or bool(self._writer.unsynced_blobs)

    def _is_unsealed(self) -> bool:
        """Whether a shared spool holds news that nobody can read before they are sealed."""
        return self._writer.info.shared and self._writer.seq != self._sealed_seq

    def _seal_interval_s(self) -> float:
        return _SHARED_SEAL_YOUNG_S if time.monotonic() - self._born < _YOUNG_S else _SHARED_SEAL_S

    def _make_room(self) -> None:
        """On a full disk: give up the ballast, then seal, so that the daemon may free what is delivered."""
        with suppress(OSError):
            (self._spool / BALLAST_FILE).unlink()
        with suppress(OSError, sqlite3.Error):
            if not self._writer.segment_is_empty:  # or a batch that is too large would leave a segment a try
                self._writer.rotate()
            self._writer.finish_sealing()

    def _look(self, now: float) -> None:
        writer = self._writer
        if not writer.is_in_place():
            self._on_vanished()
            return
        published = read_published(self._spool)
        if published is not None and abs(time.time() - published.updated) < _PUBLISHED_FRESH_S:
            self._base_bytes, self._base_appended = published.spool_bytes, writer.appended_bytes
        elif now - self._walked_at >= _WALK_S:
            self._walked_at = now
            self._base_bytes, self._base_appended = folder_bytes(self._spool), writer.appended_bytes

    def _used_bytes(self) -> int:
        return self._base_bytes + self._writer.appended_bytes - self._base_appended

    def _finish(self) -> None:
        """Seal and let go; what a reader or a full disk keeps us from is left to the daemon."""
        writer = self._writer
        for _ in range(_FINISH_TRIES):
            try:
                if writer.finish():
                    break
            except (OSError, sqlite3.Error):
                writer.release()
                break
            time.sleep(MOVE_S)
        else:
            writer.release()
        self.ended.set()
