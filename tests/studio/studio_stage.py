"""Studios for tests: in this process, and as users have them, in one of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec

from livestream.events import Json, JsonObject
from livestream.studio.auth.base import SCOPES
from livestream.studio.auth.keeper import Keeper
from livestream.studio.clock import now_us
from livestream.studio.server import Studio, opened
from livestream.studio.settings import StudioSettings

ROOT: Final = Path(__file__).resolve().parents[2]
WAIT_S: Final = 60.0
REPO_URL: Final = "https://github.com/octo/iris.git"
LAST_LINE: Final = "Ctrl-C ends it; what it has is on disk"
SHA: Final = "a1b2c3d4" * 5


async def eventually(holds: Callable[[], object], timeout_s: float = WAIT_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        await asyncio.sleep(0.005)


def token_for(data: Path, name: str = "tests", *scopes: str, project: int | None = None) -> str:
    """Make a token, also while a server runs on the folder; all scopes unless some are given."""
    keeper = Keeper(data, now_us)
    try:
        return keeper.create(name, scopes or SCOPES, project)[1]
    finally:
        keeper.close()


def body(kind: str = "data", name: str = "run", step: int | None = None, **more: Json) -> JsonObject:
    """Give a body as the stock client sends it."""
    made: JsonObject = {"type": kind, "repo_url": REPO_URL, "baseline_sha": SHA, "name": name, "client": "dvclive"}
    if kind == "data":
        made["step"] = 0 if step is None else step
    return made | more


def scalars(rows: list[tuple[int, float]], path: str = "train/loss") -> JsonObject:
    """Give ``plots`` with one scalar's rows, as DVCLive names and writes them."""
    column = path.rpartition("/")[2]
    data = [{"step": step, "timestamp": 1_700_000_000_000 + step, column: value} for step, value in rows]
    return {f"dvclive/plots/metrics/{path}.tsv": {"data": data}}


class Client:
    """Speaks to a Studio with a token; JSON in, JSON out."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self.session = session
        self.url = url
        self.headers = {"Authorization": f"token {token}"} if token is not None else {}

    async def __call__(self, method: str, path: str, /, **arguments: Json) -> tuple[int, Json]:
        """Ask, and give the status and the JSON of the answer (its text where it is none)."""
        headers = self.headers | arguments.pop("headers", {})
        async with self.session.request(method, self.url + path, headers=headers, **arguments) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def get(self, path: str, /, **query: str) -> Json:
        """Get JSON; anything but a 200 is an error."""
        status, answer = await self("GET", path, params=query)
        assert status == 200, (path, status, answer)
        return answer

    async def post(self, sent: JsonObject, **headers: str) -> Json:
        """Post to ``api/live``; anything but a 200 is an error. Underscores in names of headers are dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, answer = await self("POST", "/api/live", json=sent, headers=named)
        assert status == 200, (status, answer)
        return answer


class OpenStudio:
    """A Studio in this process, with a client that may do everything."""

    def __init__(self, studio: Studio, client: Client) -> None:
        self.studio = studio
        self.services = studio.services
        self.url = studio.url
        self.client = client

    def with_token(self, token: str | None) -> Client:
        """Give a client with another token, or none."""
        return Client(self.client.session, self.url, token)


@asynccontextmanager
async def open_studio(
    data: Path, environ: Mapping[str, str] | None = None, *, announce: bool = False, **settings: Json
) -> AsyncIterator[OpenStudio]:
    """Open a Studio in this process on a free port; ``settings`` are fields of `StudioSettings`."""
    wanted = msgspec.structs.replace(StudioSettings(data=data, port=0), **settings)
    async with opened(wanted, environ or {}, announce=announce) as studio, aiohttp.ClientSession() as session:
        names = {token.name for token in studio.services.keeper.list()}
        name = f"tests {len(names)}"
        yield OpenStudio(studio, Client(session, studio.url, studio.services.keeper.create(name, SCOPES)[1]))


class RunningStudio:
    """`livestream studio` in a process of its own; a context.

    Attributes:
        lines: What it printed at its start.
        token: May do everything.
    """

    def __init__(self, data: Path, environ: Mapping[str, str] | None = None, *arguments: str) -> None:
        self.data = data
        self.environ = studio_environment(data.parent) | dict(environ or {})
        self.arguments = arguments
        self.lines: list[str] = []
        self._port = "0"
        self._token: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def start(self) -> None:
        """Start it, also once more after an end; its port stays."""
        words = ["studio", "--data", str(self.data), "--port", self._port, *self.arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livestream", *words],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        assert self.process.stdout is not None
        while LAST_LINE not in self.lines:
            line = self.process.stdout.readline()
            assert line, f"it does not start: {self.lines} {self.process.communicate()[1]}"
            self.lines.append(line.rstrip("\n"))
        self._port = self.url.rpartition(":")[2]

    @property
    def url(self) -> str:
        return self._said(r"listens on (\S+),")

    @property
    def link(self) -> str:
        return self._said(r"sign in\s+(\S+)")

    @property
    def first_token(self) -> str:
        return self._said(r"ingest token\s+(\S+)")

    @property
    def token(self) -> str:
        if self._token is None:
            self._token = token_for(self.data)
        return self._token

    def stop(self, number: int = signal.SIGTERM) -> str:
        """End it by a signal; give what it logged."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=WAIT_S)
        return errors

    def kill(self) -> None:
        """End it as a power cut would, all but the disk."""
        self.process.kill()
        self.process.communicate()

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.lines))
        assert found is not None, self.lines
        return found[1]


def studio_environment(home: Path) -> dict[str, str]:
    """Give an environment in which nothing of this machine's settings has a part."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
    }
