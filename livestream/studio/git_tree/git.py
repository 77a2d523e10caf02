"""Running the git binary so that a repository can hurt nobody, and a slow remote only itself.

A repository's own configuration may name programs (hooks, filters, signature checkers, ssh commands), and a URL may
name a transport that is one (``ext::``). So every call here is plumbing that starts none of them, with a whitelist of
transports, an environment of our making, no terminal, no question to anybody, an end (``timeout_s``) and a bound on
what it may print. Reading is not allowed any transport at all: a clone with missing objects would fetch them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from livestream.errors import LivestreamError

MAX_OUTPUT_BYTES: Final = 32 * 1024 * 1024
_MAX_ERROR_BYTES: Final = 16 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_TRANSPORTS: Final = "file:git:http:https:ssh"
_KEPT: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_EXEC_PATH"),
)
"""Of our environment; the variables that point Git at another repository are not among them."""
_SET: Final = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
}
_SETTINGS: Final = {
    "safe.directory": "*",  # who attached the folder has said that it may be read
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.alternateRefsCommand": "true",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
}


class GitError(LivestreamError):
    """Git is not there, failed, or took too long; the message says which, without credentials."""


class Output(msgspec.Struct, frozen=True):
    """What a call printed; ``whole`` is False where it was cut at ``MAX_OUTPUT_BYTES``."""

    text: bytes
    whole: bool = True


class Git:
    """The git binary, as ``environ`` finds it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        kept = {name: environ[name] for name in _KEPT if name in environ}
        kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10")
        self._environ = {**kept, **_SET}

    async def read(self, folder: Path, *arguments: str, timeout_s: float, feed: bytes = b"") -> Output:
        """Ask a repository, without any way to the network.

        Raises:
            GitError: Git is missing, failed or was too slow.
        """
        return await self._run(folder, arguments, timeout_s, {}, "", feed)

    async def reach(
        self, folder: Path, *arguments: str, timeout_s: float, settings: Mapping[str, str] | None = None
    ) -> Output:
        """As `read`, and it may talk to a remote. ``settings`` hold what no command line may show.

        Raises:
            GitError: Git is missing, failed or was too slow.
        """
        return await self._run(folder, arguments, timeout_s, settings or {}, _TRANSPORTS, b"")

    async def _run(
        self,
        folder: Path,
        arguments: Sequence[str],
        timeout_s: float,
        settings: Mapping[str, str],
        transports: str,
        feed: bytes,
    ) -> Output:
        environ = {**self._environ, "GIT_ALLOW_PROTOCOL": transports, **_as_environ({**_SETTINGS, **settings})}
        try:
            process = await asyncio.create_subprocess_exec(
                *("git", *arguments),
                cwd=folder,
                env=environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            if error.filename != "git":
                raise GitError(f"{folder} is no folder that can be entered") from error
            raise GitError(f"cannot run git ({error.strerror}): install it to attach repositories") from error
        try:
            async with asyncio.timeout(timeout_s):
                output, complaint = await _talk(process, feed)
                status = await process.wait()
        except TimeoutError:
            raise GitError(f"git {arguments[0]} took more than {timeout_s:.0f} s") from None
        finally:
            await _end(process)
        if status and output.whole:
            raise GitError(_last_line(complaint) or f"git {arguments[0]} ended with status {status}")
        return output


def _as_environ(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as GIT_CONFIG_KEY_<n> and GIT_CONFIG_VALUE_<n>: no other user can read a process's environment."""
    named = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        named[f"GIT_CONFIG_KEY_{number}"] = key
        named[f"GIT_CONFIG_VALUE_{number}"] = value
    return named


async def _talk(process: asyncio.subprocess.Process, feed: bytes) -> tuple[Output, bytes]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise GitError("git has no pipes")  # cannot be: they were asked for
    complaints = asyncio.create_task(_read_some(process.stderr, _MAX_ERROR_BYTES, drain=True))
    feeding = asyncio.create_task(_feed(process.stdin, feed))
    try:
        output = await _read_some(process.stdout, MAX_OUTPUT_BYTES, drain=False)
        if not output.whole:
            _kill(process)
        await feeding
        return output, (await complaints).text
    finally:
        feeding.cancel()
        complaints.cancel()
        await asyncio.gather(feeding, complaints, return_exceptions=True)


async def _feed(stream: asyncio.StreamWriter, content: bytes) -> None:
    with suppress(OSError):
        stream.write(content)
        await stream.drain()
    stream.close()
    with suppress(OSError):
        await stream.wait_closed()


async def _read_some(stream: asyncio.StreamReader, max_bytes: int, *, drain: bool) -> Output:
    """Read up to a bound; then stop, or with ``drain`` throw the rest away so that the process can go on."""
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(_CHUNK_BYTES):
        if size < max_bytes:
            parts.append(chunk)
        size += len(chunk)
        if size > max_bytes and not drain:
            break
    return Output(b"".join(parts), whole=size <= max_bytes)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing behind: helpers (ssh, git-remote-https) are in the same process group."""
    if process.returncode is None:
        _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(complaint: bytes) -> str:
    """The line of Git's complaint that says most: the first fatal one, else the last."""
    lines = [line.strip() for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))]
    line = (fatal or lines or [""])[0 if fatal else -1]
    return "".join(character if character.isprintable() else " " for character in line)[:300]
