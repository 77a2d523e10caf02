"""Large payloads that dead letters need, in ``<spool>/dead``: kept while their writers' folders go.

They are links to the writer's own files where the filesystem has links, so keeping one costs no space and works on a
full disk. Keep before the letter is committed; drop after.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from livestream.errors import CorruptSpoolError
from livestream.files import sync_folder, write_whole
from livestream.spool.blobs import blob_path
from livestream.spool.layout import DEAD_FOLDER, private_folder


def keep_dead_blobs(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Keep blobs of a writer for its dead letters; give the names of those that are there to be kept.

    Raises:
        OSError: One cannot be kept.
    """
    kept = []
    dead = private_folder(folder.parent / DEAD_FOLDER)
    for name in names:
        source, target = blob_path(folder, name), dead / name
        try:
            os.link(source, target)
        except FileExistsError:
            pass
        except FileNotFoundError:
            continue
        except OSError:  # no links here
            write_whole(target, source.read_bytes())
        kept.append(name)
    if kept:
        sync_folder(dead)
    return tuple(kept)


def read_dead_blob(spool: Path, name: str) -> bytes:
    """Read a payload that a dead letter names.

    Raises:
        OSError: It is not there, or cannot be read.
        CorruptSpoolError: Its bytes are not those that were stored.
    """
    content = (spool / DEAD_FOLDER / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != name.partition("-")[0]:
        raise CorruptSpoolError(f"blob {name} does not match its digest")
    return content


def drop_dead_blobs(spool: Path, names: Iterable[str]) -> None:
    """Remove payloads that no letter needs any more (see ``DeadLetters.drop`` and ``settle``)."""
    for name in names:
        (spool / DEAD_FOLDER / name).unlink(missing_ok=True)


def sweep_dead_blobs(spool: Path, known: frozenset[str]) -> int:
    """Remove payloads whose letter was never committed; tell how many. For the daemon's start."""
    try:
        names = set(os.listdir(spool / DEAD_FOLDER)) - known
    except FileNotFoundError:
        return 0
    drop_dead_blobs(spool, names)
    return len(names)
