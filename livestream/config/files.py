"""The user's folders by the XDG specification, and small files that may be anything."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from livestream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONFIG_BYTES = 1 << 20
"""DVC's and our own files are a few hundred bytes; more is not a config."""


def livestream_config_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder of livestream's own files of the user; None where the user has no home."""
    folder = xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
    return folder / "livestream" if folder else None


def studio_data_folder(environ: Mapping[str, str], cwd: Path | None = None) -> Path:
    """The absolute path of a Studio's data: LIVESTREAM_STUDIO_DATA, else in the user's data folder.

    Raises:
        ConfigError: There is neither LIVESTREAM_STUDIO_DATA nor a home folder.
    """
    data = xdg_folder(environ, "XDG_DATA_HOME", ".local/share")
    return named_folder("LIVESTREAM_STUDIO_DATA", environ, cwd, data / "livestream" / "studio" if data else None)


def named_folder(variable: str, environ: Mapping[str, str], cwd: Path | None, default: Path | None) -> Path:
    """The absolute path of the folder that a variable names: ``~`` is the home, a relative one starts at ``cwd``.

    Raises:
        ConfigError: The variable is not set, and there is no default because the user has no home.
    """
    named = environ.get(variable, "").strip()
    if named:
        home = home_folder(environ) if named == "~" or named.startswith("~/") else None
        place = home / named[2:] if home else Path(named)
        return place if place.is_absolute() else (cwd or Path.cwd()) / place
    if default is None:
        raise ConfigError(f"{variable} is not set and the user has no home; accepted: a folder to write to")
    return default


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
