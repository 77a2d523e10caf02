"""A Studio on this machine, as it announces itself to its user's trainings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from livestream.config.files import livestream_config_folder, read_small_file
from livestream.config.secret import Secret
from livestream.config.studio import Source, StudioConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_FILE = "studio.json"


class LocalStudio(msgspec.Struct, frozen=True):
    """A Studio on this machine, as it announces itself to its user's trainings."""

    url: str
    token: Secret


class _Announcement(msgspec.Struct):
    url: str
    token: str


def read_local_studio(environ: Mapping[str, str], uid: int | None = None) -> tuple[LocalStudio | None, str | None]:
    """Read ``studio.json`` in ``livestream_config_folder``; None, and what is wrong with it, unless it can be trusted.

    Whoever can write it gets our metrics and whoever can read it could post in our name, so it has to be ours
    (``uid``, the effective user unless given) and closed to everybody else.
    """
    folder = livestream_config_folder(environ)
    file = folder / _FILE if folder else None
    try:
        content = read_small_file(file) if file else None
        if content is None:
            return None, None
        text, facts = content
        if facts.st_uid != (os.geteuid() if uid is None else uid):
            return None, f"{file}: belongs to another user, so it is not used"
        if facts.st_mode & 0o077:
            return None, f"{file}: others have access to it, so it is not used; run `chmod 600` on it"
        found = msgspec.json.decode(text, type=_Announcement)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, f"{file}: {getattr(error, 'strerror', None) or error}"
    if not found.url.startswith(("http://", "https://")) or not found.token.strip():
        return None, f"{file}: needs an http(s) url and a token"
    return LocalStudio(found.url, Secret(found.token.strip())), None


def announce_local_studio(environ: Mapping[str, str], studio: LocalStudio) -> Path | None:
    """Write ``studio.json``, for this user only, and give its path; None where the user has no home.

    An announcement that is there already is replaced: the newest Studio of a user is the one that is meant.

    Raises:
        FolderError: The configuration folder cannot be made.
        OSError: The file cannot be written.
    """
    from livestream.files import private_folder, write_whole  # noqa: PLC0415 - loads OpenSSL; trainings only read

    folder = livestream_config_folder(environ)
    if folder is None:
        return None
    file = private_folder(folder) / _FILE
    write_whole(file, msgspec.json.encode(_Announcement(studio.url, studio.token.reveal())) + b"\n")
    return file


def retract_local_studio(environ: Mapping[str, str], studio: LocalStudio) -> None:
    """Remove ``studio.json`` if it is still this Studio's."""
    folder = livestream_config_folder(environ)
    found, _ = read_local_studio(environ)
    if folder is not None and found == studio:
        (folder / _FILE).unlink(missing_ok=True)


def with_local_studio(studio: StudioConfig, local: LocalStudio | None) -> StudioConfig:
    """Fall back on the local Studio where no token is known: its token goes to its own URL, or to no other."""
    elsewhere = local and studio.url_source != "default" and studio.url.rstrip("/") != local.url.rstrip("/")
    if local is None or studio.token is not None or elsewhere:
        return studio
    source: Source = "local-studio"
    return msgspec.structs.replace(studio, token=local.token, token_source=source, url=local.url, url_source=source)
