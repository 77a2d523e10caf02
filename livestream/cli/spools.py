"""Which spool a command is about, and how it gets at daemon.db."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from livestream import config
from livestream.cli.exits import BUSY, NO_SPOOL, CommandError
from livestream.errors import SpoolError
from livestream.events import Json
from livestream.spool import filesystem
from livestream.spool.layout import DAEMON_LOCK, KEY_FILE, STATE_FILE, FileLock, is_locked, writer_folders
from livestream.spool.state import State, StateAbsentError

_Command = TypeVar("_Command", bound=Callable[..., Json])


def spool_option(command: _Command) -> _Command:
    """Give a command ``--spool``; its parameter is ``spool``, a folder or ``None``."""
    return click.option(
        "--spool",
        type=click.Path(path_type=Path, file_okay=False),
        help="The spool's folder; else LIVESTREAM_SPOOL, else the one in your state folder.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Give a command ``--json``; its parameter is ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document for scripts.")(command)


def spool_argument(command: _Command) -> _Command:
    """Give a command an argument SPOOL (the parameter is ``named``), and ``--spool`` for who is used to that."""
    argument = click.argument(
        "named", metavar="[SPOOL]", required=False, type=click.Path(path_type=Path, file_okay=False)
    )
    return argument(spool_option(command))


def chosen(*named: Path | None) -> Path:
    """Give the absolute path of the spool that was named, or of the user's own.

    Raises:
        click.UsageError: Two were named.
    """
    folders = [spool.absolute() for spool in named if spool is not None]
    if len(folders) > 1:
        raise click.UsageError("Name the spool once: as an argument or with --spool.")
    return folders[0] if folders else config.spool_folder(os.environ)


def is_spool(spool: Path) -> bool:
    """Whether a folder holds a spool: somebody wrote into it, or served it."""
    if (spool / STATE_FILE).exists() or (spool / KEY_FILE).exists():
        return True
    return any(True for _ in writer_folders(spool)) if spool.is_dir() else False


def existing(spool: Path | None) -> Path:
    """Give the spool's path.

    Raises:
        CommandError: There is no spool.
    """
    path = chosen(spool)
    if not is_spool(path):
        raise CommandError(
            f"no spool in {path}: nothing was recorded there yet (try `livestream demo`, or name another with --spool)",
            NO_SPOOL,
        )
    return path


def is_shared(spool: Path) -> bool:
    """Whether the spool is used in shared mode."""
    shared, _ = filesystem.choose_mode(config.read_settings(os.environ).spool_mode, filesystem.of_folder(spool))
    return shared


def look(spool: Path) -> State | None:
    """Open daemon.db to look; ``None`` where no daemon has served the spool yet. Close it.

    Raises:
        SpoolError: It is there and cannot be read.
    """
    path = spool / STATE_FILE
    try:
        return State.open_readonly(path)
    except StateAbsentError:
        if path.exists() and not is_locked(spool / DAEMON_LOCK):
            raise  # nobody is making it: what was in it is gone
        return None


@contextmanager
def own(spool: Path) -> Iterator[State]:
    """Be the spool's daemon for a moment: hold its lock and open daemon.db for writing.

    Raises:
        CommandError: A daemon serves the spool.
        SpoolError: daemon.db cannot be opened.
    """
    lock = FileLock(spool / DAEMON_LOCK)
    if not lock.take():
        raise CommandError(f"a daemon has just begun to serve {spool}: try again", BUSY)
    try:
        state, replaced = State.open(spool / STATE_FILE, shared=is_shared(spool))
        try:
            if replaced is not None:
                raise SpoolError(f"daemon.db was damaged ({replaced.reason}) and is in the quarantine folder now")
            yield state
        finally:
            state.close()
    finally:
        lock.release()
