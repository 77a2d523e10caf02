"""Where damaged files go: ``<spool>/quarantine/<whose>/``, moved whole, each with its reason beside it.

Nothing is deleted here, and nothing that a process has open is moved: callers see to it that the writer is dead, or
the segment sealed and its readers closed. Moving is a rename, so it works on a full disk; only the reason may be lost.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from livestream.files import sync_folder, write_whole
from livestream.spool.layout import QUARANTINE_FOLDER, private_folder

COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, the database first: a half-moved one is known by its absence."""


def quarantine_folder(spool: Path, whose: str) -> Path:
    """Give the folder for damaged files of a writer, or of ``daemon``; it is made."""
    private_folder(spool / QUARANTINE_FOLDER)
    return private_folder(spool / QUARANTINE_FOLDER / whose)


def quarantine_file(spool: Path, whose: str, path: Path, reason: str) -> Path:
    """Move one file; give its new place.

    Raises:
        OSError: It cannot be moved.
    """
    target = _free_place(quarantine_folder(spool, whose), path.name)
    with contextlib.suppress(OSError):
        write_whole(target.with_name(f"{target.name}.reason"), f"{reason}\n".encode())
    os.rename(path, target)
    sync_folder(target.parent)
    return target


def quarantine_database(spool: Path, whose: str, path: Path, reason: str) -> tuple[Path, ...]:
    """Move a database with what SQLite keeps beside it; give the new places.

    Raises:
        OSError: It cannot be moved.
    """
    present = [place for suffix in COMPANIONS if (place := path.with_name(path.name + suffix)).exists()]
    return tuple(quarantine_file(spool, whose, place, reason) for place in present)


def _free_place(folder: Path, name: str) -> Path:
    number = 0
    place = folder / name
    while place.exists():
        number += 1
        place = folder / f"{number}-{name}"
    return place
