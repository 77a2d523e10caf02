"""How the files of a run's folder get there: whole, under DVCLive's modes, for readers that watch.

A file is written beside its place and renamed into it, so a reader, and a kill at any instant, finds the old content or
the new. Unlike ``livestream.files`` nothing here is synced: these files can be made again, and a sync costs
milliseconds a step. The temporary name is fixed: of all the kills that a folder sees, one file is left at most.

Two writers of one file (processes that share a dvc.yaml) must not meet in it, nor may a link that waits there be
followed. So the temporary file is always a new one, and where the name is taken another is used: as long as the first
may still be written to, by its age, it is left alone. Whoever is last puts the whole of his in place.

Names mean what ``open()`` takes them for: a link is followed, and a file that is there keeps its mode, and is replaced
only where it may be written.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias

logger = logging.getLogger("livestream")

Stamp: TypeAlias = tuple[int, int, int]
"""Inode, time of the last change in ns, size in bytes: a file with the same three is as it was."""

_MAX_NAME_BYTES: Final = 255 - len("..livestream")
_AS_OPEN_MAKES_THEM: Final = 0o666  # less the umask
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_LEFT_AFTER_S: Final = 10.0
"""Nobody writes a small file for so long: a kill has left it."""

_numbers = itertools.count()
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
        target, mode = target_of(path)
        folder, name = os.path.split(target)
        known = name if len(os.fsencode(name)) <= _MAX_NAME_BYTES else ""
        temporary, written = put_beside(os.path.join(folder, f".{known}.livestream"), content, mode)
        try:
            os.rename(temporary, target)
        except OSError:
            remove(temporary)
            raise
    except OSError as error:
        error.filename = path  # a write does not say which file there is no space for
        raise
    return written


def target_of(path: str) -> tuple[str, int | None]:
    """Find what is replaced where a path is written to.

    Returns:
        The file that ``open()`` would write to, and its mode; ``None`` where there is none yet.

    Raises:
        PermissionError: It may not be written.
    """
    target = path
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(path)
            status = os.stat(target)
    except OSError:
        return target, None
    if not os.access(target, os.W_OK):  # DVC links to its cache, too, which nobody may change
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return target, stat.S_IMODE(status.st_mode)


def put_beside(path: str, content: bytes, mode: int | None) -> tuple[str, Stamp]:
    """Write a file that is to take another's place; nobody else writes to it.

    Args:
        path: Where, if nothing is there; its folder is made where it is missing.
        content: What it holds.
        mode: That of the other; ``None``: as ``open()`` makes them.

    Returns:
        Where it is, and its stamp.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    descriptor, path = _open_new(path, _AS_OPEN_MAKES_THEM if mode is None else mode)
    try:
        try:
            _write_all(descriptor, content)
            status = os.fstat(descriptor)
            if mode is not None and stat.S_IMODE(status.st_mode) != mode:  # the umask took some of it
                os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
    except OSError:
        remove(path)
        raise
    return path, _stamp_of(status)


def stamp(path: str, *, of_link: bool = False) -> Stamp | None:
    """Tell one state of a file from another; ``None`` where there is none.

    Args:
        path: The file.
        of_link: Of a link itself, not of what it leads to.
    """
    try:
        return _stamp_of(os.stat(path, follow_symlinks=not of_link))
    except OSError:
        return None


def remove(path: str) -> None:
    """Remove a file, if it is there and that is possible."""
    with suppress(OSError):
        os.unlink(path)


def _stamp_of(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _open_new(path: str, mode: int) -> tuple[int, str]:
    try:
        return os.open(path, _NEW, mode), path
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except FileExistsError:
        _remove_what_a_kill_left(path)  # for the next time: who finds it gone now may be writing there at once
        path = _other_name(path)
    while True:
        try:
            return os.open(path, _NEW, mode), path
        except FileExistsError:
            path = _other_name(path)


def _other_name(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.getpid()}-{next(_numbers)}.livestream")


def _remove_what_a_kill_left(path: str) -> None:
    try:
        age_s = time.time() - os.lstat(path).st_mtime
    except OSError:
        return
    if age_s > _LEFT_AFTER_S:
        remove(path)


def _write_all(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])
