"""Puts a small file in place again and again, each time whole, at the cost of two writes.

A file that a reader must never find half written is written beside its place and renamed to it. ext4 begins to write
the data out on each such rename over an older file (``auto_da_alloc``; 140 us here), and more so where a file is
truncated (900 us), so that a power cut leaves one of the two. A step of a training may cost less than that. Exchanging
two names (``renameat2`` with ``RENAME_EXCHANGE``, Linux 3.15) takes 8 us, and is as whole for a kill and for who opens
the file and reads it: the older file is kept as a spare, and overwritten in place for the next step. (Who keeps the
file open while two steps go by may read a part of the one and a part of the other.)

Only files that were made here are exchanged: what somebody else put in place may share its blocks with DVC's cache.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final

from livestream.live import writing
from livestream.live.writing import Stamp

_AT_CWD: Final = -100
_EXCHANGE: Final = 2
_MODE: Final = 0o666  # less the umask, as open() makes files


class SwappedFile:
    """One file that is rewritten often."""

    def __init__(self, path: str) -> None:
        """Know the path; nothing is written."""
        self._path = path
        folder, name = os.path.split(path)
        self._spare = os.path.join(folder, f".{name}.spare.livestream")
        self._inodes: set[int] = set()
        self._left: Stamp | None = None
        weakref.finalize(self, _remove, self._spare)  # at the process's exit, too

    def is_as_left(self) -> bool:
        """Whether nobody else has touched the file since it was put in place."""
        return self._left is not None and writing.stamp(self._path) == self._left

    def put(self, text: str) -> None:
        """Put a text in place.

        Raises:
            OSError: It cannot be written; its place is as it was.
        """
        content = text.encode()
        if not self.is_as_left() or not self._exchange(content):
            self._left = writing.put_bytes(self._path, content)
            self._inodes = {self._left[0]}

    def close(self) -> None:
        """Remove the spare."""
        _remove(self._spare)

    def _exchange(self, content: bytes) -> bool:
        exchange = _exchanger()
        if exchange is None or os.path.islink(self._path):
            return False
        stamp = self._write_spare(content)
        if not exchange(self._spare, self._path):
            return False
        self._left = stamp
        self._inodes.add(stamp[0])
        return True

    def _write_spare(self, content: bytes) -> Stamp:
        descriptor = self._open_spare()
        try:
            written = os.pwrite(descriptor, content, 0)
            while written < len(content):
                written += os.pwrite(descriptor, content[written:], written)
            os.ftruncate(descriptor, len(content))
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _open_spare(self) -> int:
        with suppress(OSError):
            descriptor = os.open(self._spare, os.O_WRONLY | os.O_NOFOLLOW)
            if os.fstat(descriptor).st_ino in self._inodes:
                return descriptor
            os.close(descriptor)  # a kill left it, or somebody else did
        with suppress(FileNotFoundError):
            os.unlink(self._spare)
        return os.open(self._spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


@cache
def _exchanger() -> Callable[[str, str], bool] | None:
    """Give what exchanges two names, ``None`` where the C library has no such call."""
    import ctypes  # noqa: PLC0415 - not before there is something to exchange

    call: Any = getattr(ctypes.CDLL(None), "renameat2", None)
    if call is None:
        return None

    def exchange(one: str, other: str) -> bool:
        return bool(call(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE) == 0)

    return exchange
