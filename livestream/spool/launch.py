"""Seeing to it that a daemon serves a spool, and telling it what may not lie on a disk.

A token reaches the daemon in two ways, in memory only: with its first line of standard input where this process starts
it, and over its Unix socket where it runs already. Never in argv, never in the environment that it keeps: the variables
of one run's Studio are taken out of the environment of a daemon that may serve others.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from livestream.events import JsonObject
from livestream.spool.layout import (
    DAEMON_LOCK,
    DAEMON_LOG,
    PUBLISHED_FILE,
    Published,
    is_locked,
    private_folder,
)

if TYPE_CHECKING:
    import subprocess

logger = logging.getLogger("livestream")

CHECK_S: Final = 5.0
"""How often a writer asks whether a daemon serves its spool."""

RESTART_S: Final = 30.0
"""The least time between two starts by one writer."""

SOCKET_TIMEOUT_S: Final = 1.0
IDLE_EXIT_S: Final = 30.0
_INTRODUCE_AGAIN_S: Final = 0.05
_STARTING_S: Final = 5.0

_ONE_RUN_ONLY: Final = (
    "DVC_STUDIO_TOKEN",
    "STUDIO_TOKEN",
    "DVC_STUDIO_URL",
    "DVC_STUDIO_REPO_URL",
    "STUDIO_REPO_URL",
    "DVC_STUDIO_OFFLINE",
    "STUDIO_ENDPOINT",
)


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """A token for a URL: what a run was given in its environment or by argument."""

    url: str
    token: str
    fingerprint: str

    def __repr__(self) -> str:
        """Show where it goes and never what it is."""
        return f"Handover(url={self.url!r}, token=***)"


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Give the folder for sockets: the session's runtime folder, else one of this user's in ``/tmp``."""
    base = environ.get("XDG_RUNTIME_DIR")
    if base and os.path.isdir(base) and os.access(base, os.W_OK):
        return private_folder(Path(base) / "livestream")
    return private_folder(Path("/tmp") / f"livestream-{os.getuid()}")  # noqa: S108 - 0700, and its owner is checked


def read_published(spool: Path) -> Published | None:
    """Read what the spool's daemon last told; ``None`` where none ever did."""
    try:
        return msgspec.json.decode((spool / PUBLISHED_FILE).read_bytes(), type=Published)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_served(spool: Path) -> bool:
    """Whether a daemon serves a spool right now."""
    return is_locked(spool / DAEMON_LOCK)


def ask_daemon(spool: Path, request: JsonObject, timeout_s: float = SOCKET_TIMEOUT_S) -> JsonObject | None:
    """Send one request to the daemon of a spool; ``None`` where none answers in time."""
    published = read_published(spool)
    if published is None or not published.socket:
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(published.socket)
            connection.sendall(msgspec.json.encode(request) + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                chunk = connection.recv(65536)
                if not chunk:
                    return None
                answer += chunk
        return msgspec.json.decode(answer, type=dict)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def start_daemon(spool: Path, handover: Handover | None, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a daemon for a spool: its own session, no terminal, no descriptor of ours.

    Raises:
        OSError: No process could be started.
    """
    import subprocess  # noqa: PLC0415 - 5 ms that `import livestream` need not pay

    log = os.open(spool / DAEMON_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    command = [sys.executable, "-m", "livestream", "daemon", str(spool), "--idle-exit", str(IDLE_EXIT_S), "--started"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            env={name: value for name, value in environ.items() if name not in _ONE_RUN_ONLY},
            start_new_session=True,
        )
    finally:
        os.close(log)
    _keep(process)
    stdin = process.stdin
    if stdin is not None:
        try:
            stdin.write((msgspec.json.encode(handover) if handover else b"") + b"\n")
            stdin.close()
        except OSError:
            logger.warning("livestream.daemon_died_at_start", extra={"spool": str(spool)})
    return process


_started: list[subprocess.Popen[bytes]] = []
"""Daemons that this process started. They outlive their runs, and Popen warns of a running child that it is dropped
with; so they are kept here, and looked after when one is started or tended."""


def _keep(process: subprocess.Popen[bytes]) -> None:
    if not _started:
        atexit.register(_let_go)
    _started.append(process)


def _reap() -> None:
    for process in _started.copy():
        if process.poll() is not None:
            with suppress(ValueError):  # another writer's helper was here
                _started.remove(process)


def _let_go() -> None:
    for process in _started:
        process.returncode = 0  # so that Popen is silent at the end too


class Caretaker:
    """One writer's care for the daemon: start it, start it again when it died, hand the token over to each new one."""

    def __init__(self, spool: Path, handover: Handover | None, environ: Mapping[str, str], *, start: bool) -> None:
        """Take note of what to do; nothing happens before ``tend``."""
        self.introduced = handover is None
        self._spool = spool
        self._handover = handover
        self._environ = environ
        self._start = start
        self._started_at: float | None = None
        self._known_pid: int | None = None

    def tend(self, now: float) -> float:
        """Do what is due, never raising; tell in how many seconds to come again."""
        _reap()
        if not is_served(self._spool):
            self._known_pid = None
            return self._restart(now)
        return self._introduce(now)

    def _restart(self, now: float) -> float:
        if not self._start:
            self.introduced = True
            return CHECK_S
        if self._started_at is not None and now - self._started_at < RESTART_S:
            return CHECK_S
        self._started_at = now
        try:
            start_daemon(self._spool, self._handover, self._environ)
            self.introduced = True
        except OSError as error:
            logger.warning("livestream.daemon_not_started", extra={"spool": str(self._spool), "error": str(error)})
        return CHECK_S

    def _introduce(self, now: float) -> float:
        published = read_published(self._spool)
        if self._handover is None or published is None or published.pid == self._known_pid:
            return CHECK_S if published is not None or self._handover is None else _INTRODUCE_AGAIN_S
        request = {"op": "token", **msgspec.structs.asdict(self._handover)}
        answer = ask_daemon(self._spool, request)
        if answer is not None and answer.get("ok"):
            self._known_pid = published.pid
            self.introduced = True
            return CHECK_S
        young = self._started_at is None or now - self._started_at < _STARTING_S
        return _INTRODUCE_AGAIN_S if young and not self.introduced else CHECK_S
