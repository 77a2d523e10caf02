"""One writer's queue, seen from the training: append, and it is safe.

``append`` puts one encoded event into the journal and returns its sequence number. It takes a lock, copies bytes, and
does nothing else: no system call, no wait, no release of the GIL. The helper thread (``livestream.spool.helper``) moves
the journal into the open segment behind it.

Three things can make ``append`` refuse, and each is counted where a SIGKILL cannot lose it (the journal's header): the
quota, a disk that takes nothing while the journal is full, and a queue that has ended. It waits only while both halves
of the journal are full and the helper is at work on one of them: at most ``MAX_WAIT_S``, and then not again before the
helper got through.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from livestream.files import sync_folder, write_whole
from livestream.spool import segment as segments
from livestream.spool.blobs import put_blob, sync_blob
from livestream.spool.forking import disown
from livestream.spool.journal import HALF_BYTES, Journal
from livestream.spool.layout import (
    BLOB_FOLDER,
    HEARTBEAT_FILE,
    JOURNAL_FILE,
    LOCK_FILE,
    WRITER_FILE,
    FileLock,
    WriterInfo,
    discard_folder,
    private_folder,
    segment_path,
)
from livestream.spool.losses import Losses
from livestream.spool.quota import Weight, free_bytes
from livestream.spool.segment import Segment

logger = logging.getLogger("livestream")

MAX_WAIT_S: Final = 1.0
SEGMENT_WAL_BYTES: Final = 16 * 1024 * 1024
"""A segment is sealed at this size of its WAL; a checkpoint of it took 27-33 ms (400 MiB: 484 ms)."""

_SMALLEST_SEGMENT_BYTES: Final = 256 * 1024
_SMALLEST_HALF_BYTES: Final = 128 * 1024
_SHARE_OF_FREE: Final = 64  # a journal's half, and a segment, take at most this part of what was free and of the quota


class WriterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a writer keeps its queue.

    Attributes:
        mapped: The journal may be written through a mapping.
        durability: ``power`` commits every event with an fsync before ``append`` returns.
    """

    mapped: bool = True
    durability: Literal["process", "power"] = "process"
    quota_bytes: int


class SpoolWriter:
    """The writing side of one queue; safe from any thread, not across ``fork`` (see ``abandon``)."""

    def __init__(self, spool: Path, info: WriterInfo, options: WriterOptions) -> None:
        """Make the writer's folder, its journal and its first segment.

        ``writer.json`` comes last: a folder without it is still being born, and readers pass it by. Where one cannot be
        made, nothing of it is left behind: it is tried again for as long as the disk is full.

        Raises:
            OSError: The folder or a file cannot be made.
            SpoolError: The filesystem has no locks.
            sqlite3.Error: The segment cannot be made.
        """
        self.info = info
        self.options = options
        self.folder = private_folder(spool / info.uid)
        self.seq_when_in_place = 0
        self.allowance: Weight = Weight.IMAGES
        self.appended_bytes = 0
        self.stuck = False
        self.idle = False
        self._committed_at_once = Weight.IMAGES if options.durability == "power" else Weight.EDGE
        self.wake = threading.Event()
        self.unsynced_blobs: list[str] = []
        self.closing: list[Segment] = []
        self.prepared: Segment | None = None
        self._closed_reason: str | None = None
        self._stalled = False
        self._inside = False
        self._draining = False
        self._lock = threading.RLock()  # a signal's handler that emits meets its own thread's lock: see `_inside`
        self._freed = threading.Condition(self._lock)
        self._segment_lock = threading.RLock()
        self._number = 1
        self._file_lock = FileLock(self.folder / LOCK_FILE)
        with ExitStack() as undo:
            undo.callback(discard_folder, self.folder)
            undo.callback(self._file_lock.release)
            self._file_lock.take()
            share = min(free_bytes(self.folder), options.quota_bytes) // _SHARE_OF_FREE
            half_bytes = max(_SMALLEST_HALF_BYTES, min(HALF_BYTES, share))
            self.segment_wal_bytes = max(_SMALLEST_SEGMENT_BYTES, min(SEGMENT_WAL_BYTES, share))
            self._journal = Journal(self.folder / JOURNAL_FILE, mapped=options.mapped, half_bytes=half_bytes)
            undo.callback(self._journal.close)
            self._losses = Losses(self._journal, self.folder)
            private_folder(self.folder / BLOB_FOLDER)
            write_whole(self.folder / HEARTBEAT_FILE, b"0")
            self._segment = segments.begin(segment_path(self.folder, 1), info.uid, exclusive=info.shared)
            undo.callback(self._segment.close)
            write_whole(self.folder / WRITER_FILE, msgspec.json.encode(info))
            sync_folder(self.folder)
            sync_folder(spool)
            undo.pop_all()

    @property
    def seq(self) -> int:
        """The last sequence number that was accepted; 0 before the first."""
        return self._journal.seq

    # -- the hot path

    def append(self, payload: bytes, weight: Weight = Weight.SCALARS) -> int | None:
        """Accept one encoded event; give its sequence number, or ``None`` where it was refused (and counted)."""
        journal = self._journal
        with self._lock:
            if weight > self.allowance or self._closed_reason is not None or self._inside:
                self._losses.refuse(self._why_not())
                return None
            self._inside = True
            try:
                if not journal.append(journal.seq + 1, payload) and not self._append_after_wait(payload):
                    self._losses.refuse(self._obstacle())
                    return None
            except OSError:
                self._losses.refuse("disk")
                return None
            finally:
                self._inside = False
            seq = journal.seq
        if self.idle:
            self.idle = False
            self.wake.set()
        if weight <= self._committed_at_once:
            self.drain()
            self.sync()
        return seq

    def _append_after_wait(self, payload: bytes) -> bool:
        if self.stuck or self._stalled:
            return False
        deadline = time.monotonic() + MAX_WAIT_S
        self.idle = False
        self.wake.set()
        while (left_s := deadline - time.monotonic()) > 0:
            self._inside = False  # other threads may come in meanwhile
            self._freed.wait(left_s)
            self._inside = True
            if self._obstacle() != "stalled":
                return False
            if self._journal.append(self._journal.seq + 1, payload):
                return True
        self._stalled = True
        return False

    def _why_not(self) -> str:
        """Say why an event is not taken at all: ``reentrant`` is a signal's handler that interrupted its own thread."""
        return "reentrant" if self._inside else self._closed_reason or "quota"

    def _obstacle(self) -> str:
        """Say why a full journal is not emptied."""
        return self._closed_reason or ("disk" if self.stuck else "stalled")

    def refuse(self, reason: str, count: int = 1) -> None:
        """Count events that were lost before they reached this writer."""
        with self._lock:
            self._losses.refuse(reason, count)

    def trim(self) -> None:
        """Count one event that is stored without its images."""
        with self._lock:
            self._losses.trim()

    @property
    def refused(self) -> dict[str, int]:
        """Events refused so far, by reason."""
        with self._lock:
            return self._losses.refused

    def put_blob(self, content: bytes | memoryview) -> str | None:
        """Store a large payload beside the segments; ``None`` where the disk takes none."""
        try:
            name = put_blob(self.folder, content)
        except OSError as error:
            logger.warning("livestream.blob_not_stored", extra={"spool": str(self.folder), "error": str(error)})
            return None
        self.appended_bytes += len(content)
        self.unsynced_blobs.append(name)
        return name

    def note_signal(self, number: int) -> None:
        """Leave word of the signal that ends this process; takes no lock, as a signal handler must not."""
        self._journal.note_signal(number)

    # -- what the helper does behind it

    def drain(self) -> bool:
        """Move what the journal holds into the segment; ``False`` where the disk would not take it (it stays)."""
        with self._segment_lock:
            if self._draining:  # as `_inside`: the drain that was interrupted goes on
                return True
            self._draining = True
            try:
                return self._drain()
            finally:
                self._draining = False

    def _drain(self) -> bool:
        while True:
            with self._alone():
                taken = None if self._closed_reason == "vanished" else self._journal.take()
            if taken is None:
                return True
            try:
                self._segment.insert(taken, self._journal.content(taken))
            except sqlite3.Error as error:
                self._note_stuck(error)
                return False
            with self._alone():
                self._journal.release()
                self._stalled = False
                self._freed.notify_all()
            self.appended_bytes += taken.end
            self._note_unstuck()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock against other threads, and against this thread's own signal handlers."""
        with self._lock:
            self._inside = True
            try:
                yield
            finally:
                self._inside = False

    def _note_stuck(self, error: sqlite3.Error) -> None:
        if not self.stuck:
            self.stuck = True
            logger.warning("livestream.spool_not_writable", extra={"spool": str(self.folder), "error": str(error)})
        with self._lock:
            self._freed.notify_all()

    def _note_unstuck(self) -> None:
        if self.stuck:
            self.stuck = False
            logger.warning("livestream.spool_writable_again", extra={"spool": str(self.folder)})

    @property
    def pending(self) -> bool:
        """Whether the journal holds events that no segment has."""
        with self._lock:
            return self._journal.pending

    def wal_bytes(self) -> int:
        """Size of the open segment's WAL."""
        return self._segment.wal_bytes()

    def sync(self) -> None:
        """Make what was accepted so far survive a power cut."""
        names, self.unsynced_blobs = self.unsynced_blobs, []
        try:
            for name in names:
                sync_blob(self.folder, name)
            self._segment.sync_wal()
        except OSError as error:
            logger.warning("livestream.spool_not_synced", extra={"spool": str(self.folder), "error": str(error)})

    def prepare(self) -> None:
        """Make the next segment ahead of its need."""
        if self.prepared is None:
            path = segment_path(self.folder, self._number + 1)
            self.prepared = segments.begin(path, self.info.uid, exclusive=self.info.shared)

    @property
    def segment_is_empty(self) -> bool:
        """Whether sealing the open segment would give the daemon nothing."""
        return self._segment.count == 0

    def rotate(self) -> int:
        """Seal the open segment and go on in the next; ``finish_sealing`` does the slow part.

        Returns:
            The last sequence number that is in a segment with a seal; the journal may hold later ones.

        Raises:
            OSError | sqlite3.Error: The disk takes nothing; the open segment stays open.
        """
        self.prepare()
        with self._segment_lock:
            following = self.prepared
            if following is None:
                return self._segment.last_seq_before
            old = self._segment
            old.commit_seal()
            following.last_seq_before = max(old.last_seq, old.last_seq_before)
            self._segment, self.prepared = following, None
            self._number += 1
            self.closing.append(old)
            return following.last_seq_before

    def finish_sealing(self) -> bool:
        """Checkpoint, close and mark what was rotated out; ``False`` where a reader was in the way of one."""
        while self.closing:
            if not self.closing[0].close_sealed():
                return False
            del self.closing[0]
        return True

    def is_in_place(self) -> bool:
        """Whether the writer's folder is still the one it made: somebody may have removed it below us."""
        try:
            status = os.stat(self.folder / LOCK_FILE)
        except OSError:
            return False
        seq = self.seq
        if self._file_lock.descriptor < 0 or not os.path.samestat(status, os.fstat(self._file_lock.descriptor)):
            return False
        self.seq_when_in_place = seq
        return True

    def beat(self, count: int) -> None:
        """Rewrite the heartbeat: all that another host can see of this process."""
        with suppress(OSError):  # no space, no folder: the other checks say so
            (self.folder / HEARTBEAT_FILE).write_bytes(str(count).encode())

    # -- the end

    def close(self, reason: str = "closed", *, said_all: bool = True) -> None:
        """Accept nothing more; what was accepted stays and is moved on by the helper, or by the daemon.

        Args:
            reason: Counted for what comes after.
            said_all: The writer ends by its own will; otherwise the daemon tells its end as that of a dead one.
        """
        with self._lock:
            if self._closed_reason is None:
                self._closed_reason = reason
                if said_all:
                    self._journal.note_closed()
            self._freed.notify_all()

    def finish(self) -> bool:
        """Seal the last segment and let the lock go: the queue is complete. ``False``: come again."""
        if not self.drain():
            return False
        if self._segment not in self.closing:
            with self._segment_lock:
                self._segment.commit_seal()
                self.closing.append(self._segment)
        if not self.finish_sealing():
            return False
        if self.prepared is not None:
            self.prepared.discard()
            self.prepared = None
        self.release()
        return True

    def release(self) -> None:
        """Let the lock go: from now on the daemon may take what is left as a dead writer's."""
        with self._segment_lock, suppress(sqlite3.Error):
            for segment in (self._segment, self.prepared, *self.closing):
                if segment is not None:
                    segment.close()  # an exclusive one would keep the daemon out
        with self._lock:
            self._journal.close()
        self._file_lock.release()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's queue; locks that another thread of it may hold are made anew."""
        held = (self._segment, self.prepared, *self.closing)
        disown([segment.connection for segment in held if segment is not None], self.folder)
        self._journal.close()
        self._lock = threading.RLock()
        self._segment_lock = threading.RLock()
        self._file_lock.forget()
