"""SQLite and fork: no thread is inside SQLite while the process forks, and the child leaves alone what it inherited.

SQLite guards its allocator and its list of open files with mutexes of the whole process. A child that was forked while
another thread held one waited for it for ever in its first connection (met once in some thousand forks). So threads go
through a gate into SQLite, and a fork waits until they are out.

A child that closed an inherited connection, be it by ending normally, checkpointed and deleted its parent's WAL. So the
connections are made immortal, and their descriptors lead to ``/dev/null``: an inherited one of an unlinked segment
keeps its space.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

FORK_WAIT_S: Final = 1.0
"""A fork waits this long at most (a checkpoint takes 30 ms): a disk that hangs must not hang the training."""


class Gate:
    """Where threads enter SQLite, as a context manager: many at a time, but none while the process forks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._forking = 0

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._forking, FORK_WAIT_S)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Before a fork: let nobody in, and wait until everybody is out."""
        with self._changed:
            self._forking += 1
            self._changed.wait_for(lambda: self._inside <= 0, FORK_WAIT_S)

    def open(self) -> None:
        """After a fork: let everybody in again."""
        with self._changed:
            self._forking -= 1
            self._changed.notify_all()

    def make_anew(self) -> None:
        """In the forked child, whose other threads are gone."""
        self._changed = threading.Condition()
        self._inside = self._forking = 0


gate: Final = Gate()
os.register_at_fork(before=gate.close, after_in_parent=gate.open, after_in_child=gate.make_anew)


def disown(connections: Iterable[sqlite3.Connection], folder: Path) -> None:
    """Make sure that this process never touches the files of its parent's connections below a folder."""
    for connection in connections:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    with suppress(OSError):  # no /proc: then unlinked segments keep their space until the child ends
        _point_to_null(folder)


def _point_to_null(folder: Path) -> None:
    prefix = os.path.realpath(folder) + "/"
    null = os.open(os.devnull, os.O_RDWR)
    try:
        for name in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue
            if target.startswith(prefix) and ".db" in target:
                os.dup2(null, int(name), inheritable=False)
    finally:
        os.close(null)
