"""What a forked child does with the SQLite connections that it inherited: nothing, for ever.

A child that closed one, be it by ending normally, checkpointed and deleted its parent's WAL. So the connections are
made immortal, and their descriptors lead to ``/dev/null``: an inherited one of an unlinked segment keeps its space.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


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
