"""Who is an experiment's primary writer, and where its steps stand: two small files an experiment.

The primary holds the lock for as long as it lives, so a second process of the same experiment finds that it is a
contributor, and a requeued job, whose predecessor was killed, finds the lock free. The last step is stored at each
event: a run that resumes goes on after it, whatever ended the one before. It has a file of its own, because closing a
locked file drops its lock (see ``livestream.spool.layout``).

A ``Live`` stores two steps, when one is over: the last that was whole, and the highest of which rows are to be kept.
The second is above the first where steps go back and forth, and where a run ends with rows of a step that never ended.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from livestream.events import Experiment
from livestream.spool.layout import EXPERIMENT_FOLDER, FileLock, private_folder

_BYTES: Final = 4096
_MAGIC: Final = b"lsstep01"
_STEP: Final = struct.Struct("<q")
_STEP_AT: Final = len(_MAGIC)
_KEPT: Final = struct.Struct("<8sq")
_KEPT_MAGIC: Final = b"lskept01"
_KEPT_AT: Final = _STEP_AT + _STEP.size


class ExperimentFile:
    """An experiment's place in a spool: a lock, and beside it the last step."""

    def __init__(self, spool: Path, experiment: Experiment, *, mapped: bool) -> None:
        """Name the files; ``take`` opens them."""
        digest = hashlib.sha256(msgspec.json.encode(experiment)).hexdigest()[:32]
        folder = private_folder(spool / EXPERIMENT_FOLDER)
        self._lock = FileLock(folder / f"{digest}.lock")
        self._path = folder / f"{digest}.step"
        self._mapped = mapped
        self._descriptor = -1
        self._map: mmap.mmap | None = None
        self._marked = False
        self.last_step: int | None = None
        self.kept_step: int | None = None

    def take(self) -> bool:
        """Become the primary writer; ``False`` where a living one is there already. Either way the last step is read.

        Raises:
            OSError: The disk has no room for the file.
            SpoolError: The filesystem has no locks.
        """
        primary = self._lock.take()
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            content = os.pread(self._descriptor, _KEPT_AT + _KEPT.size, 0).ljust(_KEPT_AT + _KEPT.size, b"\0")
            if content.startswith(_MAGIC):
                self.last_step = _STEP.unpack_from(content, _STEP_AT)[0]
                self._marked = True
                magic, kept = _KEPT.unpack_from(content, _KEPT_AT)
                self.kept_step = kept if magic == _KEPT_MAGIC else None
            if primary:
                os.posix_fallocate(self._descriptor, 0, _BYTES)
                self._map = mmap.mmap(self._descriptor, _BYTES) if self._mapped else None
        except OSError:
            self.release()
            raise
        if not primary:
            self.release()
        return primary

    def store_step(self, step: int) -> None:
        """Store the last step; a contributor's changes nothing."""
        self.last_step = step
        if self._map is not None:
            _STEP.pack_into(self._map, _STEP_AT, step)
            if not self._marked:
                self._map[:_STEP_AT] = _MAGIC
                self._marked = True
        else:
            self._write(_MAGIC + _STEP.pack(step), 0)

    def store_whole_step(self, step: int, kept: int) -> None:
        """Store the last step that was whole, and the highest whose rows are to be kept."""
        self.kept_step = kept
        self._write(_KEPT.pack(_KEPT_MAGIC, kept), _KEPT_AT)
        self.store_step(step)

    def forget_steps(self) -> None:
        """Begin the experiment anew: what an earlier run of its name stored says nothing about this one."""
        self.last_step = self.kept_step = None
        self._marked = False
        self._write(bytes(_KEPT_AT + _KEPT.size), 0)

    def _write(self, content: bytes, place: int) -> None:
        if self._map is not None:
            self._map[place : place + len(content)] = content
        elif self._descriptor >= 0:
            with suppress(OSError):  # the event is safe already; a resumed run then repeats a step
                os.pwrite(self._descriptor, content, place)

    def release(self) -> None:
        """Stop being the primary writer."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._lock.release()
