"""The user's folders by the XDG specification, and small files that may be anything."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONFIG_BYTES = 1 << 20
"""DVC's and our own files are a few hundred bytes; more is not a config."""


def livestream_config_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder of livestream's own files of the user; None where the user has no home."""
    folder = xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
    return folder / "livestream" if folder else None


def home_folder(environ: Mapping[str, str]) -> Path | None:
    """The user's home; None where neither HOME nor the user database has one."""
    if environ.get("HOME"):
        return Path(environ["HOME"])
    import pwd  # noqa: PLC0415 - only containers without HOME come here

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def xdg_folder(environ: Mapping[str, str], name: str, below_home: str) -> Path | None:
    """The folder that an XDG variable names, else its default below the home; None without a home."""
    value = environ.get(name, "").strip()
    if value.startswith("/"):  # the XDG specification has relative paths ignored
        return Path(value)
    home = home_folder(environ)
    return home / below_home if home else None


def read_small_file(path: Path) -> tuple[bytes, os.stat_result] | None:
    """A small regular file and its facts, or None where there is none. O_NONBLOCK: a FIFO would wait for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_CONFIG_BYTES:
            raise OSError(errno.EINVAL, f"not a regular file of at most {MAX_CONFIG_BYTES} bytes")
        return os.read(descriptor, MAX_CONFIG_BYTES), facts
    finally:
        os.close(descriptor)
