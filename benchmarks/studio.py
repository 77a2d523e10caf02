"""A Studio to measure, in a process of its own as users have it, and the cheap clients that load it.

The clients are not what is measured, and share the machine's cores with what is: a body is encoded before, a request is
one write on a socket that stays open, and of an answer only status and length are looked at.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from benchmarks.harness import ended_after, quiet_environment
from benchmarks.training import cpu_seconds, peak_bytes
from livestream.events import Json, JsonObject
from livestream.studio.auth.base import SCOPES
from livestream.studio.auth.keeper import Keeper
from livestream.studio.clock import now_us

REPO_URL: Final = "https://example.com/benchmark/studio.git"
REPOSITORY: Final = "example.com/benchmark/studio"
SHA: Final = "a1b2c3d4" * 5
START_MS: Final = 1_790_000_000_000
STEP_MS: Final = 250
READY: Final = b"Ctrl-C ends it"
PATIENCE_S: Final = 300.0
_DATA: Final = re.compile(rb"^data: (.*)$", re.MULTILINE)


class Studio:
    """A Studio that runs, seen from the benchmark.

    Attributes:
        port: On 127.0.0.1.
        data: Its folder.
        tokens: May do everything; a client takes one of its own, because requests are bounded by token.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, data: Path, tokens: list[str]) -> None:
        self.port = port
        self.data = data
        self.tokens = tokens
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """Processor time it has taken so far."""
        return cpu_seconds(self.pid)

    @property
    def peak_mb(self) -> float:
        """Its peak memory so far."""
        return peak_bytes(self.pid) / 1e6

    @property
    def resident_mb(self) -> float:
        """Its memory now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def read_mb(self) -> float:
        """What the disk had to give it so far."""
        told = Path(f"/proc/{self.pid}/io").read_text(encoding="ascii")
        found = re.search(r"^read_bytes: (\d+)", told, re.MULTILINE)
        return int(found[1]) / 1e6 if found else 0.0

    async def metrics(self) -> dict[str, float]:
        """Read its counters, without their common prefix; those with labels are left out."""
        async with connected(self) as connection:
            _, content = await connection.get("/metrics")
        found = re.findall(r"^livestream_studio_(\w+) (\S+)$", content.decode(), re.MULTILINE)
        return {name: float(value) for name, value in found}

    async def applied(self) -> dict[str, float]:
        """Wait until nothing that it has answered is still to be applied; give its counters then."""
        async with asyncio.timeout(PATIENCE_S):
            while (counters := await self.metrics())["pending_bytes"]:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.02)
        return counters


@contextmanager
def running(data: Path, clients: int = 1) -> Iterator[Studio]:
    """Run a Studio on a folder, old or new, with a token for each of some clients."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(Keeper(data, now_us)) as keeper:
        known = len(keeper.list())
        tokens = [keeper.create(f"client {known + number}", SCOPES)[1] for number in range(clients)]
    command = [sys.executable, "-m", "livestream", "studio", "--data", str(data), "--port", "0", "--no-announce"]
    environment = quiet_environment(PYTHONUNBUFFERED="1")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=data)
    with ended_after(process):
        if process.stdout is None:
            raise RuntimeError("no pipe")
        lines: list[bytes] = []
        while not (lines and lines[-1].startswith(READY)):
            lines.append(process.stdout.readline())
            if not lines[-1]:
                raise RuntimeError(f"the Studio does not start: {lines}")
        found = re.search(rb"listens on http://127\.0\.0\.1:(\d+)", b"".join(lines))
        if found is None:
            raise RuntimeError(f"the Studio does not say where it listens: {lines}")
        yield Studio(process, int(found[1]), data, tokens)


class Connection:
    """One client's socket. A context; it connects as it is entered."""

    def __init__(self, studio: Studio, client: int = 0) -> None:
        self._port = studio.port
        token = studio.tokens[client % len(studio.tokens)]
        self._common = f"Host: 127.0.0.1:{studio.port}\r\nAuthorization: token {token}\r\n"

    async def __aenter__(self) -> Self:
        limit = 1 << 20
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=limit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    async def post(self, body: bytes, headers: str = "") -> None:
        """Post an update.

        Raises:
            RuntimeError: It was not answered with 200.
        """
        status, content = await self._ask(self.packed(body, headers))
        if status != 200:
            raise RuntimeError(f"{status} {content.decode()}")

    async def get(self, path: str) -> tuple[int, bytes]:
        """Get what is at a path, and the status."""
        return await self._ask(f"GET {path} HTTP/1.1\r\n{self._common}\r\n".encode())

    async def json(self, path: str) -> Json:
        """Get JSON.

        Raises:
            RuntimeError: It was not answered with 200.
        """
        status, content = await self.get(path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {content.decode()}")
        return msgspec.json.decode(content)

    async def events(self, path: str) -> AsyncIterator[list[bytes]]:
        """Follow a stream of server-sent events; gives the data of all that came together."""
        self._writer.write(f"GET {path} HTTP/1.1\r\n{self._common}Accept: text/event-stream\r\n\r\n".encode())
        status, _ = await self._head()
        if status != 200:
            raise RuntimeError(f"{path}: {status}")
        held = b""
        while content := await self._reader.read(1 << 18):
            whole, _, held = (held + content).rpartition(b"\n\n")
            if whole:
                yield _DATA.findall(whole)

    async def download(self, path: str) -> int:
        """Read an answer of any length to the end of its connection; give how many bytes came."""
        self._writer.write(f"GET {path} HTTP/1.1\r\n{self._common}Connection: close\r\n\r\n".encode())
        status, _ = await self._head()
        if status != 200:
            raise RuntimeError(f"{path}: {status}")
        size = 0
        while content := await self._reader.read(1 << 18):
            size += len(content)
        return size

    def packed(self, body: bytes, headers: str = "") -> bytes:
        """Give a whole request, so that it can be made before it is timed."""
        head = f"POST /api/live HTTP/1.1\r\n{self._common}{headers}Content-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        await self._writer.drain()
        status, length = await self._head()
        return status, await self._reader.readexactly(length)

    async def _head(self) -> tuple[int, int]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return int(head[9:12]), int(found[1]) if found else 0


@asynccontextmanager
async def connected(studio: Studio, client: int = 0) -> AsyncIterator[Connection]:
    """Connect one client."""
    async with Connection(studio, client) as connection:
        yield connection


class News(msgspec.Struct, frozen=True):
    """What an event of the feed says: a step of an experiment, or without one ``hello`` or ``reset``."""

    experiment: int | None = None
    step: int | None = None


read_news: Final = msgspec.json.Decoder(News).decode


# -- bodies, as our daemon and DVCLive build them


def names_of(series: int) -> list[str]:
    """Name some metrics."""
    return [f"part_{number % 7}/metric_{number:03}" for number in range(series)]


def path_of(name: str) -> str:
    """Give a metric's plot."""
    return f"dvclive/plots/metrics/{name}.tsv"


def envelope(name: str, kind: str = "data", **more: Json) -> JsonObject:
    """Give a body without content."""
    return {"type": kind, "repo_url": REPO_URL, "baseline_sha": SHA, "name": name, "client": "dvclive", **more}


def data_body(name: str, first: int, steps: int, series: int, dice: random.Random) -> bytes:
    """Give a body with some steps of some series, and the metrics of the last one."""
    plots: JsonObject = {}
    latest: JsonObject = {}
    for metric in names_of(series):
        column = metric.rpartition("/")[2]
        rows = [
            {"step": step, "timestamp": START_MS + step * STEP_MS, column: dice.random()}
            for step in range(first, first + steps)
        ]
        plots[path_of(metric)] = {"data": rows}
        latest[metric] = rows[-1][column]
    metrics = {"dvclive/metrics.json": {"data": {**latest, "step": first + steps - 1}}}
    return msgspec.json.encode(envelope(name, step=first + steps - 1, plots=plots, metrics=metrics))


def start_body(name: str) -> bytes:
    """Give the body that opens a run."""
    return msgspec.json.encode(envelope(name, "start", params={"params.yaml": {"lr": 0.001, "layers": 12}}))


def series_for(size: int) -> tuple[int, int]:
    """Give steps and series of a `data_body` of about so many bytes."""
    a_row, a_plot = 70, 105  # own measurement
    if size < 20_000:
        return 1, max((size - 250) // (a_row + a_plot), 1)
    series = 20
    return max((size // series - a_plot) // a_row, 1), series
