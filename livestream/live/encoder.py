"""Images get to their files by a thread of their own, so that a training does not wait for PNG's compression.

Pictures wait in the order they came. One that is put under a path that waits already takes its place: only the newest
content of a file matters. No path is ever written by two threads, so an older content cannot follow a newer one.

Memory is bounded without losing any: where more waits than is allowed the caller encodes the oldest itself, and goes on
at the speed of both. The thread ends when nothing came for a while, and is made again, so that an ended run holds none.

A fork leaves what waits to the parent, which has the thread that writes it. At exit the process waits a while for it.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from typing import Final

from livestream.live.images import Picture

logger = logging.getLogger("livestream")

MAX_BYTES: Final = 64 * 2**20
MAX_PICTURES: Final = 256
IDLE_S: Final = 5.0
"""The thread ends after so long without work."""
EXIT_WAIT_S: Final = 30.0
"""An interpreter that exits waits this long at most: a disk that hangs must not keep the process."""


class Encoder:
    """Writes pictures in the background; safe from any thread.

    Attributes:
        failed: Pictures that could not be written; the first is logged.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_pictures: int = MAX_PICTURES) -> None:
        """Begin without a thread.

        Args:
            max_bytes: Of pictures that wait or are being encoded; beyond them the caller of ``put`` works too.
            max_pictures: As ``max_bytes``, their count.
        """
        self.failed = 0
        self._max_bytes = max_bytes
        self._max_pictures = max_pictures
        self.forget()
        _LIVING.add(self)

    def forget(self) -> None:
        """In a forked child: the parent writes what waits, and its thread and locks stay behind."""
        self._changed = threading.Condition()  # reentrant: a signal's handler may log an image, too
        self._waiting: dict[str, Picture] = {}
        self._writing: set[str] = set()
        self._bytes = 0
        self._thread: threading.Thread | None = None

    def put(self, picture: Picture, path: str) -> None:
        """Have a picture written, soon and whole; returns at once unless too much waits.

        Args:
            picture: What is written.
            path: Its file; its folder is made where it is missing.
        """
        with self._changed:
            self._add(path, picture)
            has_thread = self._has_thread()
            self._changed.notify_all()
        while (not has_thread or self._is_too_much()) and self._write_next():
            pass

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is on its disk; without a limit the caller works too.

        Args:
            timeout_s: Give up after this time.

        Returns:
            Whether nothing waits any more.
        """
        while True:
            while timeout_s is None and self._write_next():
                pass
            with self._changed:
                if timeout_s is not None:
                    return self._changed.wait_for(self._is_done, timeout_s)
                self._changed.wait_for(lambda: self._is_done() or self._next() is not None)
                if self._is_done():
                    return True

    # -- under the lock

    def _add(self, path: str, picture: Picture) -> None:
        replaced = self._waiting.get(path)
        self._waiting[path] = picture
        self._bytes += picture.size_bytes - (0 if replaced is None else replaced.size_bytes)

    def _next(self) -> str | None:
        return next((path for path in self._waiting if path not in self._writing), None)

    def _is_done(self) -> bool:
        return not self._waiting and not self._writing

    def _is_too_much(self) -> bool:
        return self._bytes > self._max_bytes or len(self._waiting) > self._max_pictures

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="livestream-images", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the process may have no more, or is exiting
                return False
            self._thread = thread
        return True

    # -- writing

    def _work(self) -> None:
        while True:
            while self._write_next():
                pass
            with self._changed:
                has_work = self._changed.wait_for(lambda: self._next() is not None, IDLE_S)
                if not has_work and not self._waiting:  # else a caller is writing an older one of the same path
                    self._thread = None
                    return

    def _write_next(self) -> bool:
        """Write the oldest picture whose path is free; ``False`` where there is none."""
        with self._changed:
            path = self._next()
            if path is None:
                return False
            picture = self._waiting.pop(path)
            self._writing.add(path)
        try:
            picture.save(path)
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._note_failure(path, error)
        except BaseException:  # Ctrl-C in a caller that helps: the thread writes it
            with self._changed:
                if path not in self._waiting:
                    self._add(path, picture)
            raise
        finally:
            with self._changed:
                self._writing.discard(path)
                self._bytes -= picture.size_bytes
                self._changed.notify_all()
        return True

    def _note_failure(self, path: str, error: Exception) -> None:
        with self._changed:
            self.failed += 1
            is_first = self.failed == 1
        if is_first:
            logger.error("livestream.live_file_not_written", extra={"file": path}, exc_info=error)


_LIVING: weakref.WeakSet[Encoder] = weakref.WeakSet()


def _after_fork() -> None:
    for encoder in list(_LIVING):
        encoder.forget()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_WAIT_S
    for encoder in list(_LIVING):
        encoder.wait(max(0.0, deadline - time.monotonic()))


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
