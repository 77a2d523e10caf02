"""The daemon's way to daemon.db: one thread, one connection, and patience with a full disk.

Everything that is decided is committed before it is acted on, so where the disk takes nothing the decision waits here:
the ballast is given up first, which is room for many commits, and delivered segments that are unlinked make more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from livestream.files import write_whole
from livestream.spool.database import StateFullError
from livestream.spool.layout import BALLAST_FILE, STATE_FILE
from livestream.spool.quota import free_bytes
from livestream.spool.state import State

logger = logging.getLogger("livestream.daemon")

T = TypeVar("T")

BALLAST_BYTES: Final = 1024 * 1024
_BALLAST_SHARE: Final = 16  # of what is free; a small disk gets a small ballast
_FULL_RETRY_S: Final = 0.5


class Bookkeeper:
    """Runs functions of ``State``, one at a time, off the event loop."""

    def __init__(self, spool: Path, *, shared: bool) -> None:
        self._spool = spool
        self._shared = shared
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="livestream-books")
        self._state: State | None = None
        self.full = False

    async def open(self) -> None:
        """Open the books; unreadable ones are put aside and begun anew, which costs repeats and loses nothing."""
        state, replaced = await self._call(lambda: State.open(self._spool / STATE_FILE, shared=self._shared))
        self._state = state
        if replaced is not None:
            logger.error("livestream.books_replaced", extra={"reason": replaced.reason})

    async def close(self) -> None:
        """Close the books."""
        if self._state is not None:
            await self._call(self._state.close)
            self._state = None
        self._thread.shutdown()

    async def do(self, work: Callable[[State], T]) -> T:
        """Run one piece of work; on a full disk wait until it can be done.

        A caller that is cancelled leaves the work itself complete: a commit is never cut short.
        """
        state = self._state
        if state is None:
            raise RuntimeError("the books are not open")
        while True:
            try:
                result = await asyncio.shield(asyncio.ensure_future(self._call(lambda: work(state))))
            except StateFullError as error:
                self._give_up_ballast(error)
                await asyncio.sleep(_FULL_RETRY_S)
            else:
                self.full = False
                return result

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _give_up_ballast(self, error: StateFullError) -> None:
        if not self.full:
            self.full = True
            logger.error("livestream.disk_full", extra={"error": str(error)})
        with suppress(OSError):
            (self._spool / BALLAST_FILE).unlink()

    def keep_ballast(self) -> None:
        """Lay the ballast in again once there is room."""
        path = self._spool / BALLAST_FILE
        with suppress(OSError):
            if not path.exists() and not self.full:
                size = min(BALLAST_BYTES, free_bytes(self._spool) // _BALLAST_SHARE)
                write_whole(path, bytes(size))
