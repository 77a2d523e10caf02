"""The log of large bodies: files in ``ingest/`` that are safe and not applied yet.

A body is written to ``<number>.part`` as it comes. Once it is whole and sound its head is filled in, the file is
synced, and its name becomes ``<number>.body``, numbers in the order of answers; from then on it survives any kill and a
power cut. It is removed when all of it is committed to the store, so after a kill in between it is applied again, which
changes nothing: rows are keyed.

    head       one line of JSON (`LogHead`), padded to `HEAD_BYTES`
    body       as it came, unpacked
    snapshots  JSON list: what `wire.large.survey` found out

What cannot be applied (a file damaged by the disk, a body that an older version took) is moved to ``ingest/refused/``.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from livestream.files import FolderError, private_folder, sync_folder
from livestream.studio.update import Backlog, Identity, Update, UpdateKey

HEAD_BYTES: Final = 32 * 1024
"""Room for the head: the longest headers that an HTTP server takes, and an identity."""

_FILE: Final = re.compile(r"[0-9]{12}\.(part|body)")


class LogError(Exception):
    """A file of the log that cannot be read; the message says what is wrong with it."""


class LogHead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What belongs to a body beside its bytes.

    Attributes:
        received_us: When it came, microseconds since the epoch.
        digest: sha256 in hex.
        token: The id of the token that it came with.
        body_bytes: Where the body ends.
    """

    identity: Identity
    received_us: int
    digest: str
    body_bytes: int
    key: UpdateKey | None = None
    backlog: Backlog | None = None
    losses: dict[str, int] = {}
    repair: bool = False
    token: int = 0


class LoggedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A body in the log. ``update``: what is in it, where there was room to keep that."""

    path: Path
    head: LogHead
    update: Update | None = None

    def open(self) -> tuple[memoryview, list[str]]:
        """Map the body into memory, and read its snapshots; the map lives as long as the view and what is cut from it.

        Raises:
            LogError: It is damaged.
        """
        try:
            with open(self.path, "rb") as file:
                mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            end = HEAD_BYTES + self.head.body_bytes
            return mapped[HEAD_BYTES:end], msgspec.json.decode(mapped[end:], type=list[str])
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise LogError(f"{self.path.name}: {error}") from error


class Part:
    """A body that is coming. Calls block on the disk: they belong to a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._end = HEAD_BYTES

    @property
    def digest(self) -> bytes:
        """Sha256 of what was written."""
        return self._hash.digest()

    def write(self, content: bytes) -> None:
        """Append.

        Raises:
            OSError: The disk is full, or broken.
        """
        self._hash.update(content)
        self._append(content)
        self.size += len(content)

    def map(self) -> memoryview:
        """Map the body into memory; it must not be empty."""
        whole = memoryview(mmap.mmap(self._descriptor, self._end, access=mmap.ACCESS_READ))
        return whole[HEAD_BYTES : HEAD_BYTES + self.size]

    def seal(self, head: LogHead, snapshots: list[str], path: Path) -> None:
        """Make it safe under its last name.

        Raises:
            OSError: The disk is full, or broken; it is still a part.
        """
        line = msgspec.json.encode(head).ljust(HEAD_BYTES - 1) + b"\n"
        if len(line) > HEAD_BYTES:
            raise LogError(f"a head of {len(line)} bytes")
        self._append(msgspec.json.encode(snapshots))
        os.pwrite(self._descriptor, line, 0)
        os.fsync(self._descriptor)
        os.rename(self.path, path)
        sync_folder(path.parent)
        self._close()

    def discard(self) -> None:
        """Forget it, if it was not sealed."""
        if self._descriptor >= 0:
            self._close()
            self.path.unlink(missing_ok=True)

    def _append(self, content: bytes) -> None:
        remaining = memoryview(content)
        while remaining:
            written = os.pwrite(self._descriptor, remaining, self._end)
            self._end += written
            remaining = remaining[written:]

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


class BodyLog:
    """The folder of the log.

    Attributes:
        refused: Bodies that were put aside since the start.
    """

    def __init__(self, data: Path) -> None:
        """Prepare the log below a Studio's data folder."""
        self.folder = private_folder(data / "ingest")
        self.refused = 0
        self._number = 0

    def recover(self) -> Iterator[LoggedBody]:
        """Remove parts, and give the bodies of the last run in their order; damaged ones are refused."""
        names = sorted(name for name in os.listdir(self.folder) if _FILE.fullmatch(name))
        for name in names:
            path = self.folder / name
            if name.endswith(".part"):
                path.unlink(missing_ok=True)
                continue
            self._number = max(self._number, int(name[:12]))
            try:
                yield LoggedBody(path=path, head=_read_head(path))
            except LogError:
                with suppress(OSError, FolderError):  # it stays then, and the others are good
                    self.refuse(path)

    def part(self) -> Part:
        """Open the file of a body that begins to come."""
        return Part(self.folder / f"{self._next():012d}.part")

    def body_path(self) -> Path:
        """Give the next body's name; bodies are applied in the order of these calls."""
        return self.folder / f"{self._next():012d}.body"

    def remove(self, body: LoggedBody) -> None:
        """Forget a body that is applied."""
        body.path.unlink(missing_ok=True)

    def refuse(self, path: Path) -> None:
        """Put aside a body that cannot be applied.

        Raises:
            OSError: It stays where it is.
            FolderError: Likewise: there is no place to put it.
        """
        self.refused += 1
        refused = private_folder(self.folder / "refused")
        aside, others = refused / path.name, count(2)
        while aside.exists():  # an empty log counts from 1 again, and what was put aside before is not to be replaced
            aside = refused / f"{path.stem}.{next(others)}{path.suffix}"
        os.rename(path, aside)
        sync_folder(refused)

    def _next(self) -> int:
        self._number += 1
        return self._number


def _read_head(path: Path) -> LogHead:
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(HEAD_BYTES), type=LogHead)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogError(f"{path.name}: {error}") from error
