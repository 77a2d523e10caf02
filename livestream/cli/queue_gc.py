"""``livestream queue gc``: remove what nobody needs any more.

Delivered segments go by themselves while a daemon serves the spool; this is for what remains where none does, or where
something went wrong: folders of finished writers, folders that were never finished being made, quarantined files that
have been looked at, content of dead letters that are settled, and temporary files of killed processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from livestream.cli.output import counted, human_bytes, print_json, tell
from livestream.cli.spools import existing, json_option, own, spool_option
from livestream.errors import SpoolError
from livestream.spool.launch import is_served
from livestream.spool.layout import (
    DEAD_FOLDER,
    LOCK_FILE,
    QUARANTINE_FOLDER,
    WRITER_FILE,
    folder_bytes,
    is_locked,
    writer_folders,
)
from livestream.spool.state import State
from livestream.spool.unlink import UNBORN_S, remove_unborn, remove_writer, unlink_delivered

TEMPORARY_S: Final = 3600.0
"""A temporary file is renamed in milliseconds; one that is an hour old was left by a killed process."""

_DAY_S: Final = 86_400.0

_HELP = """Remove what nobody needs any more.

Folders of writers whose events are all delivered, folders that a killed process left half made, files in quarantine
for longer than --older-than days, and leftovers. Nothing that waits for delivery is touched, and no dead letter.

\b
Examples:
    livestream queue gc --dry-run
    livestream queue gc --older-than 7
"""


FINISHED: Final = "folder of a finished writer"
UNBORN: Final = "folder that was never finished being made"


class Rubbish(msgspec.Struct, frozen=True, kw_only=True):
    """A file or a folder that may go, and why; ``cursor``: up to where a finished writer is delivered."""

    path: Path
    kind: str
    bytes: int
    cursor: int = 0


@click.command(help=_HELP)
@click.option("--older-than", default=30.0, show_default=True, metavar="DAYS", help="Age of quarantined files.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@spool_option
@json_option
def gc(spool: Path | None, older_than: float, *, dry_run: bool, as_json: bool) -> None:
    """Remove what nobody needs any more."""
    path = existing(spool)
    found = list(_old(path / QUARANTINE_FOLDER, older_than * _DAY_S))
    if is_served(path):
        tell("A daemon serves this spool and clears up the rest itself; only the quarantine is looked at.")
        removed = found if dry_run else [item for item in found if _remove(item)]
    else:
        with own(path) as state:
            found += _leftovers(path, state)
            removed = found if dry_run else [item for item in found if _remove(item)]
            for item in removed if not dry_run else []:
                if item.kind == FINISHED:
                    state.mark_gone(item.path.name, time.time())
    total = sum(item.bytes for item in removed)
    if as_json:
        print_json({"dry_run": dry_run, "bytes": total, "removed": msgspec.to_builtins(removed, enc_hook=str)})
        return
    for item in removed:
        click.echo(f"{item.path}  {item.kind}, {human_bytes(item.bytes)}")
    verb = "would go" if dry_run else "removed"
    click.echo(f"{counted(len(removed), 'item')} {verb}, {human_bytes(total)}.")


def _leftovers(path: Path, state: State) -> Iterator[Rubbish]:
    for folder in writer_folders(path):
        if not is_locked(folder / LOCK_FILE):
            yield from _writer_rubbish(folder, state)
    needed = state.letters.blobs()
    for blob in _files(path / DEAD_FOLDER):
        if blob.name not in needed:
            yield Rubbish(path=blob, kind="content of a settled dead letter", bytes=_size(blob))
    for file in _files(path):
        if file.name.startswith(".") and _age_s(file) > TEMPORARY_S:
            yield Rubbish(path=file, kind="temporary file", bytes=_size(file))


def _writer_rubbish(folder: Path, state: State) -> Iterator[Rubbish]:
    row = state.writer(folder.name)
    size = folder_bytes(folder)
    if row is not None and row.finished and not row.queued:
        yield Rubbish(path=folder, kind=FINISHED, bytes=size, cursor=row.cursor)
    elif not (folder / WRITER_FILE).exists() and _age_s(folder) > UNBORN_S and row is None:
        yield Rubbish(path=folder, kind=UNBORN, bytes=size)


def _old(folder: Path, age_s: float) -> Iterator[Rubbish]:
    for whose in _entries(folder):
        for file in _files(whose):
            if _age_s(file) > age_s:
                yield Rubbish(path=file, kind="in quarantine", bytes=_size(file))


def _remove(item: Rubbish) -> bool:
    """Remove something; tell whether it is gone: what turns out to be in use, or to hold events, stays."""
    try:
        if item.kind == FINISHED:
            unlink_delivered(item.path, item.cursor)
            return remove_writer(item.path, item.cursor)
        if item.kind == UNBORN:
            return remove_unborn(item.path, time.time()) in {"removed", "quarantined"}
        item.path.unlink(missing_ok=True)
        if QUARANTINE_FOLDER in item.path.parts and not any(item.path.parent.iterdir()):
            item.path.parent.rmdir()
    except OSError as error:
        raise SpoolError(f"{item.path} cannot be removed: {error.strerror}") from error
    return True


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file() and not path.is_symlink()]


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
