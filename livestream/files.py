"""How files and folders of ours get to disk: whole, private, and there after a power cut."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from livestream.errors import LivestreamError


class FolderError(LivestreamError):
    """A folder cannot be made, or is not ours alone; the message names it."""


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter.

    Raises:
        FolderError: It cannot be made, or it is somebody else's, or everybody's as ``/tmp`` is.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise FolderError(f"cannot make the folder {path}: {error.strerror}") from error
    if status.st_uid != os.getuid():
        raise FolderError(f"{path} belongs to another user (uid {status.st_uid})")
    if status.st_mode & stat.S_ISVTX:
        raise FolderError(f"{path} is a folder for everybody: name a folder of yours in it")
    if status.st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place so that a reader, and a power cut, finds all of it or none of it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            remaining = memoryview(content)
            while remaining:
                remaining = remaining[os.write(descriptor, remaining) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = error.filename or str(path)  # a write does not say which file there is no space for
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    sync_path(folder)


def sync_path(path: Path) -> None:
    """Make what a file holds, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
