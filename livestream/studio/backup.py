"""A copy of a Studio's folder that is whole, made beside a Studio that runs.

The order is what makes it whole. Bodies that are logged and not yet applied come first: one that is applied meanwhile
is then in the copy twice, and rows are keyed. Then the databases, each one consistent state by SQLite's own means. Then
the images' files, which are written before the commit that names them, never change and are never deleted, so that
every one that the copied database names is there; on one file system they are linked and cost nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from livestream.errors import LivestreamError
from livestream.files import FolderError, private_folder, sync_folder
from livestream.studio.alerts.keeper import NAME as ALERTS
from livestream.studio.store.sqlite.database import copy_database

DATABASES: Final = ("studio.db", "auth.db")
LOGGED: Final = "ingest"
REFUSED: Final = "ingest/refused"
"""What could not be applied is all there is of it."""
BLOBS: Final = "blobs"


class BackupError(LivestreamError):
    """There is nothing to copy, or no place to copy it to; the message says which."""


class BackupSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied. ``linked`` blobs share their space with the Studio's."""

    target: Path
    database_bytes: int
    logged_bodies: int
    blobs: int
    linked: int


def back_up(data: Path, target: Path) -> BackupSummary:
    """Copy a Studio's folder to ``target``, which must not be there yet; it appears when it is whole.

    Raises:
        BackupError: ``data`` is no Studio's folder, or ``target`` is there.
        OSError: There is no space, or no right to write.
        StoreError: A database cannot be read.
    """
    if not (data / DATABASES[0]).is_file():
        raise BackupError(f"{data} holds no Studio: there is no {DATABASES[0]} in it; --data names another folder")
    if os.path.lexists(target):
        raise BackupError(f"{target} is there already; a backup goes to a new folder")
    try:
        partial = private_folder(target.with_name(f".{target.name}.{secrets.token_hex(4)}"))
    except FolderError as error:
        raise BackupError(str(error)) from error
    try:
        summary = _copy(data, partial, target)
        os.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(target.parent)
    return summary


def _copy(data: Path, partial: Path, target: Path) -> BackupSummary:
    for name in (LOGGED, BLOBS):
        (partial / name).mkdir(mode=0o700)
    logged = [_put(path, partial / LOGGED / path.name, may_link=False) for path in _files(data / LOGGED, ".body")]
    for path in _files(data / REFUSED, ".body"):
        _put(path, partial / REFUSED / path.name, may_link=False)
    for name in DATABASES:
        if (data / name).is_file():
            copy_database(data / name, partial / name)
    if (data / ALERTS).is_file():
        _put(data / ALERTS, partial / ALERTS, may_link=False)
    linked = [_put(path, partial / path.relative_to(data), may_link=True) for path in _blobs(data / BLOBS)]
    for folder in sorted(path for path in partial.rglob("*") if path.is_dir()):
        sync_folder(folder)
    sync_folder(partial)
    return BackupSummary(
        target=target,
        database_bytes=sum((partial / name).stat().st_size for name in DATABASES if (partial / name).exists()),
        logged_bodies=len([one for one in logged if one is not None]),
        blobs=len([one for one in linked if one is not None]),
        linked=sum(one is True for one in linked),
    )


def _files(folder: Path, suffix: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{suffix}") if path.is_file()) if folder.is_dir() else []


def _blobs(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.glob("??/*") if path.is_file() and len(path.name) == 64)


def _put(source: Path, target: Path, *, may_link: bool) -> bool | None:
    """Link or copy a file; True: linked; None: it is gone meanwhile, because it was applied."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if may_link:
        try:
            os.link(source, target)
        except OSError:
            pass  # another file system, or one without links
        else:
            return True
    try:
        with open(source, "rb") as reading, open(target, "xb", opener=_private) as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
    except FileNotFoundError:
        return None
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
