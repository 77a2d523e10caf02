"""Servers for the benchmarks, each a process: ``python -m benchmarks.server bare|timed|slow|hang|stall|fake``.

``bare`` reads a body and answers ``{}``: nothing that takes posts over aiohttp can be quicker. ``timed`` also looks how
old the newest value of the metric ``sent`` is. ``slow`` answers after 2 s. ``hang`` takes connections and bodies and
never answers. ``stall`` answers a ``start``, and hangs from then on. ``fake`` is `FakeStudio`, which parses and books
everything.

The port comes as the first line of standard output, what was counted as the second, once standard input is closed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

import msgspec
import orjson
from aiohttp import web

from benchmarks.harness import ended_after, quiet_environment
from livestream.testing import FakeStudio

Mode: TypeAlias = Literal["bare", "timed", "slow", "hang", "stall", "fake"]

TOKEN: Final = "isat_benchmark"
SLOW_S: Final = 2.0
MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class Tally(msgspec.Struct):
    """What a server counted.

    Attributes:
        requests: Posts whose body was read.
        first: When the first body was in, on the clock that all processes of a machine share (monotonic, s).
        last: When the last one was answered.
        ages_s: ``timed`` only: how old each body's newest ``sent`` was.
        problems: ``fake`` only: violations of the wire's rules, and repeats.
    """

    requests: int = 0
    bytes: int = 0
    first: float = 0.0
    last: float = 0.0
    ages_s: list[float] = []
    problems: int = 0


class Server:
    """A server that runs, seen from the benchmark."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.url = url
        self._process = process
        self._tally: Tally | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def tally(self) -> Tally:
        """End it, and give what it counted."""
        if self._tally is None:
            out, _ = self._process.communicate(timeout=30)
            self._tally = msgspec.json.decode(out, type=Tally)
        return self._tally


@contextmanager
def serving(mode: Mode) -> Iterator[Server]:
    """Run a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.server", mode]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=quiet_environment())
    with ended_after(process):
        if process.stdout is None:
            raise RuntimeError("no pipe")
        yield Server(process, f"http://127.0.0.1:{int(process.stdout.readline())}")


# -- inside the server's process


async def serve(mode: Mode) -> Tally:
    """Answer until standard input is closed."""
    tally = Tally()

    async def post(request: web.Request) -> web.Response:
        body = await request.read()
        tally.requests += 1
        tally.bytes += len(body)
        tally.first = tally.first or time.monotonic()
        if mode == "timed" and (age_s := _age_of(body)) is not None:
            tally.ages_s.append(age_s)
        if mode == "slow":
            await asyncio.sleep(SLOW_S)
        if mode == "hang" or (mode == "stall" and orjson.loads(body).get("type") != "start"):
            await asyncio.Event().wait()
        tally.last = time.monotonic()
        return web.Response(body=b"{}", content_type="application/json")

    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application.router.add_post("/api/live", post)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    return tally


def _age_of(body: bytes) -> float | None:
    rows = orjson.loads(body).get("plots", {}).get("dvclive/plots/metrics/sent.tsv", {}).get("data", [])
    return time.monotonic() - rows[-1]["sent"] if rows else None


def serve_fake() -> Tally:
    """Be a `FakeStudio` until standard input is closed."""
    with FakeStudio(token=TOKEN, keep_payloads=False) as studio:
        print(studio.port, flush=True)
        sys.stdin.buffer.read()
        ledger = studio.ledger
        return Tally(
            requests=len(ledger.requests),
            bytes=sum(entry.size for entry in ledger.requests),
            problems=len(ledger.violations) + ledger.repeats,
        )


def main() -> None:
    mode = sys.argv[1]
    tally = serve_fake() if mode == "fake" else asyncio.run(serve(mode))  # type: ignore[arg-type]
    sys.stdout.buffer.write(msgspec.json.encode(tally))
    sys.stdout.flush()
    os._exit(0)  # hanging handlers are not waited for


if __name__ == "__main__":
    main()
