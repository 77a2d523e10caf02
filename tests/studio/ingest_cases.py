from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from wire_cases import LOSS, encoded, rows

from livestream.studio.counters import Counters
from livestream.studio.ingest.ingest import Envelope, Ingest
from livestream.studio.ingest.log import BodyLog, LogHead, Part
from livestream.studio.settings import StudioLimits
from livestream.studio.store.base import Change, Writer
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.sqlite.writer import open_writer
from livestream.studio.wire.body import decode

BOUND_S = 60.0


class House:
    """An ingest on the real store, and what it told."""

    def __init__(self, ingest: Ingest, data: Path) -> None:
        self.ingest = ingest
        self.data = data
        self.counters = Counters()
        self.changes: list[Change] = []
        self.gate = threading.Event()

    def ask(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.data / "studio.db")
        try:
            return connection.execute(sql, arguments).fetchall()
        finally:
            connection.close()

    def change(self, sql: str) -> None:
        connection = sqlite3.connect(self.data / "studio.db")
        connection.execute(sql)
        connection.close()

    @property
    def points(self) -> int:
        return int(self.ask("SELECT count(*) FROM point")[0][0])

    def metrics(self, name: str) -> Any:
        return msgspec.json.decode(self.ask("SELECT metrics FROM experiment WHERE name = ?", name)[0][0])

    def files(self) -> list[str]:
        return sorted(os.listdir(self.data / "ingest"))

    def hold(self) -> asyncio.Task[bool]:
        """Keep the writing thread busy until the gate opens."""

        def wait(_: Writer) -> bool:
            return self.gate.wait(BOUND_S)

        return asyncio.ensure_future(self.ingest.call(wait))

    async def post(self, payload: bytes) -> int | None:
        return await self.ingest.take(decode(payload), payload, envelope())

    async def post_large(self, payload: bytes, *, packed: bool = False) -> None:
        async with self.ingest.intake(packed=packed) as intake:
            for at in range(0, len(payload), 65_536):
                await intake.take(payload[at : at + 65_536])
            part = await intake.end()
            assert isinstance(part, Part)
            await self.ingest.log(part, await self.ingest.survey(part), envelope())

    async def settled(self) -> None:
        await eventually(lambda: not self.ingest.pending_bytes)


@asynccontextmanager
async def house(data: Path, limits: StudioLimits | None = None) -> AsyncIterator[House]:
    writer = open_writer(data, Blobs(data))
    changes: list[Change] = []
    counters = Counters()

    def publish(news: Sequence[Change]) -> None:
        changes.extend(news)

    ingest = Ingest(writer, data, limits or StudioLimits(), publish, counters, now_us)
    found = House(ingest, data)
    found.changes, found.counters = changes, counters
    await ingest.start()
    try:
        yield found
    finally:
        found.gate.set()
        await ingest.stop()
        writer.close()


def now_us() -> int:
    return time.time_ns() // 1_000


def envelope() -> Envelope:
    return Envelope(received_us=now_us())


async def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def leave(data: Path, payload: bytes) -> Path:
    """Leave a body in the log as a process leaves it that is killed behind its answer."""
    log = BodyLog(data)
    numbers = [int(name[:12]) for name in os.listdir(log.folder) if name.endswith(".body")]
    part = Part(log.folder / "999999999999.part")
    part.write(payload)
    head = LogHead(
        identity=decode(payload).identity,
        received_us=now_us(),
        digest=hashlib.sha256(payload).hexdigest(),
        body_bytes=len(payload),
    )
    path = log.folder / f"{max(numbers, default=0) + 1:012d}.body"
    part.seal(head, [], path)
    return path


def scalar(name: str, step: int, value: float) -> bytes:
    return encoded(
        name=name, step=step, metrics={"m.json": {"data": {"a": value}}}, plots={LOSS: {"data": rows(1, first=step)}}
    )


@contextmanager
def files_end_at(limit: int) -> Iterator[None]:
    """A disk that takes no more than so many bytes a file; Python ignores the signal that comes with it."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
