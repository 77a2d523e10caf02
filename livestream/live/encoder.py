"""Images get to their files by a thread of their own, so that a training does not wait for PNG's compression.

Pictures wait in the order they came. One that is put under a path that waits already takes its place: only the newest
content of a file matters. No path is ever written by two threads, so an older content cannot follow a newer one.

Memory is bounded without losing any: where more waits than is allowed the caller encodes the oldest itself, and goes on
at the speed of both. The thread ends when nothing came for a while, and is made again, so that an ended run holds none.

A fork leaves what waits to the parent, which has the thread that writes it. The child has none: multiprocessing ends
its children where they stand, and a thread's work with them, so there the call itself encodes. At exit the process
waits a while for its thread.

A caller that encodes can be interrupted anywhere, by an exception (Ctrl-C) or by a signal's handler that logs, or ends
the run. A picture is taken from those that wait only when it is written, so an exception loses none. And a handler must
not wait for the call that it interrupted, which goes on only after it: each thread skips what it is writing itself.
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
_LOOK_S: Final = 1.0
"""Who waits looks so often: Ctrl-C may have kept somebody from telling."""


class _Turn:
    """One picture that is being written, and by which thread."""

    __slots__ = ("path", "picture", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.path = ""
        self.picture: Picture | None = None


class Encoder:
    """Writes pictures in the background; safe from any thread.

    Attributes:
        failed: Pictures that could not be written; the first is logged.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_pictures: int = MAX_PICTURES) -> None:
        """Begin without a thread.

        Args:
            max_bytes: Of pictures that wait or are being encoded; beyond them the caller of ``put`` works too.
            max_pictures: The same, of the count of those that wait.
        """
        self.failed = 0
        self._max_bytes = max_bytes
        self._max_pictures = max_pictures
        self._begin()
        _LIVING.add(self)

    def _begin(self, *, works_in_calls: bool = False) -> None:
        self._lock = threading.RLock()  # a signal's handler may log an image, too
        self._changed = threading.Condition(self._lock)
        self._waiting: dict[str, Picture] = {}  # those that are being written as well
        self._writing: set[_Turn] = set()
        self._thread: threading.Thread | None = None
        self._works_in_calls = works_in_calls

    def forget(self) -> None:
        """In a forked child: the parent writes what waits, and its thread and locks stay behind."""
        self._begin(works_in_calls=True)

    def put(self, picture: Picture, path: str) -> None:
        """Have a picture written, soon and whole; returns at once unless too much waits.

        Args:
            picture: What is written.
            path: Its file; its folder is made where it is missing.
        """
        with self._lock:
            self._waiting[path] = picture
            has_thread = self._has_thread()
            self._changed.notify_all()
        while (not has_thread or self._is_too_much()) and self._write_next():
            pass

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is on its disk; the caller works too, with a limit only where nobody else does.

        Args:
            timeout_s: Give up after this time.

        Returns:
            Whether nothing waits any more, but for what this thread was writing when it was interrupted.
        """
        while True:
            while (timeout_s is None or self._thread is None) and self._write_next():
                pass
            with self._lock:
                if timeout_s is not None:
                    return self._changed.wait_for(self._is_done, timeout_s)
                self._changed.wait_for(lambda: self._is_done() or self._next() is not None, _LOOK_S)
                if self._is_done():
                    return True

    def drop(self) -> None:
        """Forget what waits: when this returns nothing is written, and nothing will be until more is put.

        What this thread was writing when it was interrupted is an exception: it is written afterwards.
        """
        with self._lock:
            self._waiting.clear()
            while not self._changed.wait_for(lambda: not self._turns(of_others=True), _LOOK_S):
                pass

    # -- under the lock; a signal's handler may change what is gone through, so it is copied first

    def _turns(self, *, of_others: bool) -> list[_Turn]:
        """Give what other threads, or only this one, are writing."""
        me = threading.get_ident()
        return [turn for turn in list(self._writing) if (turn.thread != me) is of_others]

    def _next(self) -> str | None:
        taken = {turn.path for turn in list(self._writing)}
        for path in list(self._waiting):  # no generator: Ctrl-C is lost where one is being closed
            if path not in taken:
                return path
        return None

    def _is_done(self) -> bool:
        mine = {turn.path for turn in self._turns(of_others=False)}
        return self._waiting.keys() <= mine and not self._turns(of_others=True)

    def _is_too_much(self) -> bool:
        written = {id(turn.picture): turn.picture for turn in list(self._writing) if turn.picture is not None}
        waiting = [picture for picture in list(self._waiting.values()) if id(picture) not in written]
        if len(waiting) > self._max_pictures:
            return True
        return sum(picture.size_bytes for picture in [*waiting, *written.values()]) > self._max_bytes

    def _has_thread(self) -> bool:
        if self._works_in_calls:
            return False
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="livestream-images", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the process may have no more, or is exiting
                return False
            self._thread = thread
        return True

    def _take(self, turn: _Turn) -> Picture | None:
        """Let a turn begin with the oldest picture whose path is free; ``None`` where there is none."""
        while (path := self._next()) is not None:
            turn.path = path
            self._writing.add(turn)  # nobody else takes it from here on; a handler may have just before
            turn.picture = self._waiting.get(path)
            if turn.picture is not None:
                return turn.picture
            self._writing.discard(turn)
        return None

    # -- writing

    def _work(self) -> None:
        while True:
            while self._write_next():
                pass
            with self._lock:
                has_work = self._changed.wait_for(lambda: self._next() is not None, IDLE_S)
                if not has_work and not self._waiting:  # else a caller is writing an older one of the same path
                    self._thread = None
                    return

    def _write_next(self) -> bool:
        """Write the oldest picture whose path is free; ``False`` where there is none."""
        turn = _Turn()
        try:
            with self._lock:
                picture = self._take(turn)
            if picture is None:
                return False
            self._write(picture, turn.path)
        finally:
            self._writing.discard(turn)  # one call, which Ctrl-C does not part
            with self._lock:
                self._changed.notify_all()
        return True

    def _write(self, picture: Picture, path: str) -> None:
        try:
            picture.save(path)
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._note_failure(path, error)
        with self._lock:
            # No newer one came; and as nothing is called here, no signal's handler puts one in between.
            if path in self._waiting and self._waiting[path] is picture:
                del self._waiting[path]

    def _note_failure(self, path: str, error: Exception) -> None:
        with self._lock:
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
