"""What kind of filesystem a spool lies on decides how it may be used.

A *shared* one (network or host shares) has no shared memory between hosts, so SQLite's WAL index cannot be used by two
of them, and locks and inotify mean less. A *copy-on-write* one is local, but a store into a preallocated mapping can
still run out of space, which arrives as SIGBUS. A container's fuse-overlayfs is a local disk behind FUSE.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import msgspec

_SHARED: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "drvfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"panfs", "smb3", "smbfs", "vboxsf", "virtiofs", "wekafs"}
)
_COPY_ON_WRITE: Final = frozenset({"bcachefs", "btrfs", "zfs"})
_LOCAL_FUSE: Final = frozenset({"fuse.fuse-overlayfs", "fuse-overlayfs", "fuseblk"})


Mode = Literal["auto", "local", "shared"]


class Filesystem(msgspec.Struct, frozen=True):
    """The filesystem below a folder, and what may be done on it.

    Attributes:
        kind: Its type as the kernel names it; empty where it could not be told.
        shared: Other hosts may have it mounted.
        mappable: A preallocated file can be written through a mapping.
    """

    kind: str
    mount_point: str
    shared: bool
    mappable: bool


def judge(kind: str, mount_point: str = "") -> Filesystem:
    """Say what may be done on a filesystem of a kind."""
    fuse = kind.startswith("fuse") and kind not in _LOCAL_FUSE
    shared = kind in _SHARED or fuse
    return Filesystem(kind, mount_point, shared, not shared and kind not in _COPY_ON_WRITE and bool(kind))


def of_folder(folder: Path, mountinfo: str = "/proc/self/mountinfo") -> Filesystem:
    """Find the filesystem below a folder, which need not exist yet."""
    path = os.path.realpath(folder)
    best, kind = "", ""
    try:
        lines = Path(mountinfo).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return judge("")
    for line in lines:
        head, _, tail = line.partition(" - ")
        fields = head.split(" ")
        if len(fields) < 5 or not tail:
            continue
        mount_point = _unescape(fields[4])
        inside = path == mount_point or path.startswith(mount_point.rstrip("/") + "/")
        if inside and len(mount_point) >= len(best):
            best, kind = mount_point, tail.split(" ", 1)[0]
    return judge(kind, best)


def choose_mode(wanted: Mode, filesystem: Filesystem) -> tuple[bool, str]:
    """Choose between the local and the shared mode of a spool.

    Returns:
        Whether it is shared, and why (a sentence to be logged once where it is).
    """
    if wanted == "shared":
        return True, "LIVESTREAM_SPOOL_MODE=shared"
    if wanted == "auto" and filesystem.shared:
        return True, f"{filesystem.mount_point} is {filesystem.kind}, which other hosts may have mounted"
    return False, ""


def _unescape(path: str) -> str:
    """Undo mountinfo's octal escapes of blanks and backslashes."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
