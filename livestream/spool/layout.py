"""Where things lie in a spool, who is alive in it, and how files get there whole.

    <spool>/                     0700
      <writer>/                  one folder a writer, `w` + 12 hex digits of milliseconds + 10 random ones
        writer.json  lock  heartbeat  journal  00000001.db (-wal, -shm)  00000001.sealed  blobs/<sha256>
      experiments/<hash>         held by the experiment's primary writer; holds its last step
      daemon.db  daemon.lock  daemon.log  daemon.json  key  ballast  dead/<sha256>  quarantine/<writer>/

Liveness is a POSIX record lock (``fcntl.lockf``): the kernel drops it with the process, a forked child does not inherit
it, and ``F_GETLK`` asks for it without taking it. Its trap is that *any* close of the file in the holding process drops
the lock, so a holder opens the file once, and ``is_locked`` answers for this process's own locks from memory instead of
from the file.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from livestream import files
from livestream.errors import CorruptSpoolError, SpoolError, SpoolFormatError
from livestream.events import Experiment
from livestream.files import write_whole

FORMAT: Final = 1
"""The spool's format. A reader leaves a writer with a higher one alone."""

WRITER_FILE: Final = "writer.json"
LOCK_FILE: Final = "lock"
HEARTBEAT_FILE: Final = "heartbeat"
JOURNAL_FILE: Final = "journal"
BLOB_FOLDER: Final = "blobs"
STATE_FILE: Final = "daemon.db"
DAEMON_LOCK: Final = "daemon.lock"
DAEMON_LOG: Final = "daemon.log"
PUBLISHED_FILE: Final = "daemon.json"
KEY_FILE: Final = "key"
BALLAST_FILE: Final = "ballast"
EXPERIMENT_FOLDER: Final = "experiments"
DEAD_FOLDER: Final = "dead"
QUARANTINE_FOLDER: Final = "quarantine"

HEARTBEAT_S: Final = 10.0
_KEY_BYTES: Final = 32
_FLOCK: Final = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux: type, whence, start, len, pid

Role = Literal["primary", "contributor"]


class WriterInfo(msgspec.Struct, frozen=True, kw_only=True):
    """``writer.json``: who writes this queue, for which experiment, and where it is to go.

    Attributes:
        directory: The training's folder as Studio names it, posix, relative to the DVC (or Git) root.
        metric_prefix: ``rank3`` where every rank records, else empty.
        guest: A contributor to an experiment that somebody outside begins and ends: ``dvc exp run``, by its own posts.
        url: The Studio that the run was told of; ``None`` leaves the choice to the moment of delivery.
        config_folder: Where DVC config is looked for at delivery.
        token_fingerprint: A keyed digest of the token that was handed to the daemon, never the token.
    """

    format: int = FORMAT
    uid: str
    version: str
    host: str
    pid: int
    boot_id: str
    process_start: float
    role: Role
    experiment: Experiment
    directory: str
    client: str = "dvclive"
    metric_prefix: str = ""
    guest: bool = False
    url: str | None = None
    endpoint: str = "api/live"
    config_folder: str | None = None
    offline: bool = False
    token_fingerprint: str | None = None
    shared: bool = False
    created: float = 0.0


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """``daemon.json``: what the daemon tells the writers, every few seconds while it serves.

    Attributes:
        socket: Path of the Unix socket it answers on; empty where it has none.
        spool_bytes: What the whole spool takes on its disk, so that no writer needs to walk it.
        updated: Seconds since the epoch.
    """

    pid: int
    host: str
    version: str
    socket: str
    spool_bytes: int
    updated: float


def new_uid() -> str:
    """Name a writer: sorting names sorts writers by age."""
    return f"w{time.time_ns() // 1_000_000:012x}{secrets.token_hex(5)}"


def is_uid(name: str) -> bool:
    """Tell a writer's folder from everything else that may lie in a spool."""
    return len(name) == 23 and name[0] == "w" and all(c in "0123456789abcdef" for c in name[1:])


def writer_folders(spool: Path) -> Iterator[Path]:
    """Yield the writers' folders, oldest first; a spool that does not exist has none."""
    try:
        names = sorted(name for name in os.listdir(spool) if is_uid(name))
    except FileNotFoundError:
        return
    for name in names:
        yield spool / name


def segment_path(folder: Path, number: int) -> Path:
    """Give the path of a segment; numbers start at 1."""
    return folder / f"{number:08d}.db"


def sealed_path(segment: Path) -> Path:
    """Give the path of a segment's seal: where it exists, nobody will write the segment again."""
    return segment.with_suffix(".sealed")


def segment_numbers(folder: Path) -> list[int]:
    """List the numbers of a writer's segments, lowest first."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(name[:8]) for name in names if len(name) == 11 and name.endswith(".db") and name[:8].isdigit())


@cache
def boot_id() -> str:
    """Identify this boot of this kernel: containers on one machine share it, and so share its locks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"unknown-{socket.gethostname()}"


def private_folder(path: Path) -> Path:
    """Make a folder of the spool, which only its owner can enter.

    Raises:
        SpoolError: It cannot be made, or it is somebody else's, or everybody's as ``/tmp`` is.
    """
    try:
        return files.private_folder(path)
    except files.FolderError as error:
        raise SpoolError(f"{error}; LIVESTREAM_SPOOL names the spool's folder") from error


def discard_folder(folder: Path) -> None:
    """Remove a folder of ours and all in it, as far as that is possible."""
    import shutil  # noqa: PLC0415 - 2 ms that only a writer that could not be born pays

    shutil.rmtree(folder, ignore_errors=True)


def read_writer_info(folder: Path) -> WriterInfo | None:
    """Read ``writer.json``; ``None`` where it is not there (yet).

    Raises:
        SpoolFormatError: A newer livestream wrote it.
        CorruptSpoolError: It is not what a writer writes.
    """
    try:
        content = (folder / WRITER_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        version = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("format", msgspec.Raw(b"0"))
        if (found := msgspec.json.decode(version, type=int)) > FORMAT:
            raise SpoolFormatError(
                f"{folder} has spool format {found}, this livestream reads up to {FORMAT}: upgrade it"
            )
        info = msgspec.json.decode(content, type=WriterInfo)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptSpoolError(f"{folder / WRITER_FILE}: {error}") from error
    if info.uid != folder.name:
        raise CorruptSpoolError(f"{folder / WRITER_FILE}: it is the writer {info.uid}'s")
    return info


def spool_key(spool: Path) -> bytes:
    """Read the spool's secret, making it at first: token fingerprints mean nothing in another spool."""
    path = spool / KEY_FILE
    for _ in range(2):
        try:
            key = path.read_bytes()
            if len(key) == _KEY_BYTES:
                return key
            damaged = True
        except FileNotFoundError:
            damaged = False
        fresh = path.with_name(f".key.{secrets.token_hex(4)}")
        write_whole(fresh, secrets.token_bytes(_KEY_BYTES))
        try:
            if damaged:
                os.rename(fresh, path)
            else:
                os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_bytes()


class FileLock:
    """A record lock on a file that this process opens once and keeps open.

    ``take`` answers whether the lock is now held here; ``release`` closes the file. In a forked child a lock is not
    held any more: ``forget`` drops the child's copy of the descriptor without touching the parent's lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = ""
        self._descriptor = -1

    @property
    def descriptor(self) -> int:
        """The open file, for a holder that keeps content in it; -1 where the lock is not held."""
        return self._descriptor

    def take(self) -> bool:
        """Take the lock without waiting.

        Raises:
            SpoolError: The filesystem has no locks, or the file cannot be made.
        """
        key = _key(self.path)
        with _held_lock:
            if key in _HELD:
                return False
            descriptor = self._lock()
            if descriptor < 0:
                return False
            self._key, self._descriptor = key, descriptor
            _HELD.add(key)
        return True

    def _lock(self) -> int:
        """Open the file and lock it; -1 where another process holds it."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolError(f"cannot open {self.path}: {error.strerror}") from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return -1
        except OSError as error:
            os.close(descriptor)
            raise SpoolError(
                f"{self.path} cannot be locked ({error.strerror}): set LIVESTREAM_SPOOL to a filesystem with locks"
            ) from error
        return descriptor

    def release(self) -> None:
        """Give the lock up; a second call does nothing."""
        with _held_lock:
            if self._descriptor >= 0:
                _HELD.discard(self._key)
                os.close(self._descriptor)
                self._descriptor = -1

    def forget(self) -> None:
        """In a forked child: let go of what only the parent holds."""
        self.release()


def is_locked(path: Path) -> bool:
    """Ask whether a living process holds the lock on a file, without taking it."""
    key = _key(path)
    with _held_lock:
        return key in _HELD or _is_locked_elsewhere(path)


def _is_locked_elsewhere(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


_HELD: set[str] = set()
"""The locks of this process, by path: to the kernel they are the process's, so a second thread would get them too."""
_held_lock = threading.Lock()
"""Held while a file is opened, locked or closed: a thread that asks for a lock must not close the file behind the back
of one that has just taken it."""


def _after_fork() -> None:
    global _held_lock
    _held_lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _key(path: Path) -> str:
    return os.path.realpath(path)


def read_heartbeat(folder: Path) -> bytes:
    """Read a writer's heartbeat: all that counts is whether it differs from the last time."""
    try:
        return (folder / HEARTBEAT_FILE).read_bytes()
    except OSError:
        return b""


def folder_bytes(folder: Path) -> int:
    """Add up what a folder takes on its disk, holes not counted; files that vanish meanwhile count nothing."""
    total = 0
    pending = [folder]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
            except OSError:
                continue
    return total
