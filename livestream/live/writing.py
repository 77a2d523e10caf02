"""How the files of a run's folder get there: whole, under DVCLive's modes, for readers that watch.

A file is written beside its place and renamed into it, so a reader, and a kill at any instant, finds the old content or
the new. Unlike ``livestream.files`` nothing here is synced: these files can be made again, and a sync costs
milliseconds a step. The temporary name is fixed: of all the kills that a folder sees, one file is left at most.

Names mean what ``open()`` takes them for: a link is followed, and its target replaced only where it may be written.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias

logger = logging.getLogger("livestream")

Stamp: TypeAlias = tuple[int, int, int]
"""Inode, time of the last change in ns, size in bytes: a file with the same three is as it was."""

_MAX_NAME_BYTES: Final = 255 - len("..livestream")
_AS_OPEN_MAKES_THEM: Final = 0o666  # less the umask


_failed: set[str] = set()


@contextmanager
def said_once(path: str) -> Iterator[None]:
    """Say trouble with the disk once a file, and do not raise it: a training goes on."""
    try:
        yield
    except OSError:
        if path not in _failed:
            _failed.add(path)
            logger.exception("livestream.live_file_not_written", extra={"file": path})
    else:
        _failed.discard(path)


def try_put(path: str, text: str) -> Stamp | None:
    """Put a file of text in place; trouble with the disk is said once, and never raised.

    Returns:
        As ``put``; ``None`` where the file could not be written.
    """
    written = None
    with said_once(path):
        written = put(path, text)
    return written  # noqa: RET504 - it is None still where the disk refused


def put(path: str, text: str) -> Stamp:
    """Put a file of text in place; line ends stay as they are. Else as ``put_bytes``.

    Raises:
        OSError: As ``put_bytes``.
        UnicodeEncodeError: The text has lone surrogates.
    """
    return put_bytes(path, text.encode())


def put_bytes(path: str, content: bytes) -> Stamp:
    """Put a file in place, and the folder it goes to where that is missing.

    Returns:
        What ``stamp(path)`` gives until somebody else writes the file.

    Raises:
        OSError: It cannot be written; its place is as it was.
    """
    try:
        target = os.readlink(path)
    except OSError:  # it is no link, or not there
        target = path
    else:
        target = _target_of(path)
    folder, name = os.path.split(target)
    known = name if len(os.fsencode(name)) <= _MAX_NAME_BYTES else ""
    temporary = os.path.join(folder, f".{known}.livestream")
    descriptor = _open_in_folder(temporary, folder)
    try:
        try:
            _write_all(descriptor, content)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, target)
    except OSError as error:
        _remove(temporary)
        error.filename = path  # a write does not say which file there is no space for
        raise
    return status.st_ino, status.st_mtime_ns, status.st_size


def stamp(path: str) -> Stamp | None:
    """Tell one state of a file from another; ``None`` where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _target_of(link: str) -> str:
    target = os.path.realpath(link)
    if os.path.exists(target) and not os.access(target, os.W_OK):  # DVC links to its cache, which nobody may change
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), link)
    return target


def _open_in_folder(path: str, folder: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        return os.open(path, flags, _AS_OPEN_MAKES_THEM)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        return os.open(path, flags, _AS_OPEN_MAKES_THEM)


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
