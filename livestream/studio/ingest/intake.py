"""One body while it comes: in memory while it is small, in a file of the log once it is not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Final, Self, TypeVar

from livestream.studio.ingest.log import BodyLog, Part
from livestream.studio.settings import StudioLimits
from livestream.studio.wire.packing import Gunzip

BATCH_BYTES: Final = 512 * 1024
"""Handed to the writing of a large body's file at once."""
GZIP_BEGINS: Final = 0x1F
T = TypeVar("T")


class BodyTooLargeError(Exception):
    """A body is over the limit, unpacked."""


class Intake:
    """Takes one body. Use it as a context: at its end a file that was not sealed is gone.

    Attributes:
        part: The file, once the body is large; None while it is small.
    """

    def __init__(
        self, log: BodyLog, limits: StudioLimits, slots: asyncio.Semaphore, pool: Executor, *, packed: bool
    ) -> None:
        """Prepare for a body.

        Args:
            slots: One is held from when the body turns out to be large to the context's end.
            pool: Where files are written.
            packed: It comes as gzip, unless the server has unpacked it: JSON never begins as gzip does.
        """
        self.part: Part | None = None
        self._log = log
        self._limits = limits
        self._slots = slots
        self._pool = pool
        self._gunzip = Gunzip() if packed else None
        self._pieces: list[bytes] = []
        self._held = 0
        self._size = 0
        self._has_slot = False
        self._begun = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pieces.clear()
        try:
            if self.part is not None:
                await self._run(self.part.discard)
        finally:
            if self._has_slot:
                self._has_slot = False
                self._slots.release()

    async def reserve(self) -> None:
        """Wait for a slot before a body is read that says of itself that it is large."""
        if not self._has_slot:
            await self._slots.acquire()
            self._has_slot = True

    async def take(self, content: bytes) -> None:
        """Take what came.

        Raises:
            BodyTooLargeError: It is over the limit.
            WireError: It is no gzip.
            OSError: The disk is full, or broken.
        """
        if not self._begun and content:
            self._begun = True
            if content[0] != GZIP_BEGINS:
                self._gunzip = None
        await self._keep([content] if self._gunzip is None else self._gunzip.feed(content))

    async def end(self) -> bytes | Part:
        """Give the whole body.

        Raises:
            WireError: The gzip stream is cut.
        """
        if self._gunzip is not None:
            await self._keep(self._gunzip.end())
        if self.part is None:
            return b"".join(self._pieces)
        await self._flush(self.part)
        return self.part

    async def _keep(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._size += len(piece)
            if self._size > self._limits.max_request_bytes:
                raise BodyTooLargeError
            self._pieces.append(piece)
            self._held += len(piece)
            if self.part is None and self._size > self._limits.large_bytes:
                await self.reserve()
                self.part = self._log.part()
            if self.part is not None and self._held >= BATCH_BYTES:
                await self._flush(self.part)

    async def _flush(self, part: Part) -> None:
        content, self._pieces, self._held = b"".join(self._pieces), [], 0
        await self._run(lambda: part.write(content))

    async def _run(self, work: Callable[[], T]) -> T:
        return await run_to_end(self._pool, work)


async def run_to_end(pool: Executor, work: Callable[[], T]) -> T:
    """Do work of the disk in a thread, to its end even if the request is given up meanwhile."""
    return await to_end(asyncio.get_running_loop().run_in_executor(pool, work))


async def to_end(task: asyncio.Future[T]) -> T:
    """Wait for a task; whoever gives up waits for its end all the same, because its file is in use until then."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def digest_of(payload: bytes) -> bytes:
    """Sha256 of a small body."""
    return hashlib.sha256(payload).digest()
