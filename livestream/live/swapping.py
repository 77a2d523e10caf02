"""Puts a small file in place again and again, each time whole, at the cost of two writes.

A file that a reader must never find half written is written beside its place and renamed to it. ext4 begins to write
the data out on each such rename over an older file (``auto_da_alloc``; 125 us here), and more so where a file is
truncated (900 us), so that a power cut leaves one of the two. A step of a training may cost less than that. Exchanging
the two names (``renameat2`` with ``RENAME_EXCHANGE``, Linux 3.15) and removing the older file is as whole, for readers
and for kills, and takes 15 us: a power cut may cost what was written in the last seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from livestream.live import writing
from livestream.live.writing import Stamp

_AT_CWD: Final = -100
_EXCHANGE: Final = 2


class SwappedFile:
    """One file that is rewritten often."""

    def __init__(self, path: str) -> None:
        """Know the path; nothing is written."""
        self._path = path
        folder, name = os.path.split(path)
        self._next = os.path.join(folder, f".{name}.next.livestream")
        self._left: Stamp | None = None
        self._is_exchanged = True

    def is_as_left(self) -> bool:
        """Whether nobody else has touched the file since it was put in place."""
        return self._left is not None and writing.stamp(self._path, of_link=True) == self._left

    def put(self, text: str) -> None:
        """Put a text in place.

        Raises:
            OSError: It cannot be written; its place is as it was.
        """
        content = text.encode()
        if not self._is_exchanged or not self.is_as_left() or not self._exchange(content):
            self._left = writing.put_bytes(self._path, content)

    def _exchange(self, content: bytes) -> bool:
        exchange = _exchanger()
        if exchange is None:
            return False
        _, mode = writing.target_of(self._path)
        spare, stamp = writing.put_beside(self._next, content, mode)
        self._is_exchanged = exchange(spare, self._path)  # some filesystems cannot
        if self._is_exchanged:
            self._left = stamp
        writing.remove(spare)
        return self._is_exchanged


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
