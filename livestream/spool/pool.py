"""Open segments, a bounded number of them, each lent to one task at a time.

An open segment costs a thread and three descriptors, and a spool may have thousands of writers. A connection that is
given back stays open until the space is wanted, oldest use first; nobody else has it while it is lent.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

import aiosqlite

from livestream.spool.salvage import BUSY_TIMEOUT_S, reading_uri

MAX_OPEN: Final = 64

_Key: TypeAlias = tuple[Path, bool]


class ReaderPool:
    """Segments open for reading.

    Use it as an async context manager: an unclosed one keeps its threads, and so the process, alive.
    """

    def __init__(self, max_open: int = MAX_OPEN) -> None:
        self._max_open = max_open
        self._slots = asyncio.Semaphore(max_open)
        self._idle: OrderedDict[_Key, aiosqlite.Connection] = OrderedDict()
        self._lent = 0
        self._closed = False

    @property
    def open_count(self) -> int:
        """How many segments are open now."""
        return self._lent + len(self._idle)

    @asynccontextmanager
    async def lend(self, path: Path, *, immutable: bool) -> AsyncIterator[aiosqlite.Connection]:
        """Lend a connection to a segment; wait while all are lent.

        Raises:
            sqlite3.Error: The segment cannot be opened.
        """
        key = (path, immutable)
        async with self._slots:
            self._lent += 1
            try:
                connection = self._idle.pop(key, None) or await self._open(key)
                try:
                    yield connection
                except BaseException:
                    await connection.close()
                    raise
                await self._keep(key, connection)
            finally:
                self._lent -= 1

    async def forget(self, path: Path) -> None:
        """Close what is idle of one segment, or of all segments in a folder."""
        for key in [key for key in self._idle if key[0] == path or key[0].parent == path]:
            connection = self._idle.pop(key, None)
            if connection is not None:
                await connection.close()

    async def close(self) -> None:
        """Close everything; what is still lent is closed when it is given back."""
        self._closed = True
        while self._idle:
            _, connection = self._idle.popitem()
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self, key: _Key) -> aiosqlite.Connection:
        while self._idle and self.open_count > self._max_open:
            _, oldest = self._idle.popitem(last=False)
            await oldest.close()
        opening = asyncio.ensure_future(_connect(key))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:  # a connection that nobody awaits would keep its thread for ever
            opening.add_done_callback(_stop)
            raise

    async def _keep(self, key: _Key, connection: aiosqlite.Connection) -> None:
        if self._closed or key in self._idle:
            await connection.close()
        else:
            self._idle[key] = connection


async def _connect(key: _Key) -> aiosqlite.Connection:
    path, immutable = key
    connection = await aiosqlite.connect(
        reading_uri(path, immutable=immutable), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
    )
    connection.text_factory = bytes  # as in salvage.looking
    return connection


def _stop(opening: asyncio.Future[aiosqlite.Connection]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().stop()
