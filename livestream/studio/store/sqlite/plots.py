"""Images, plots that are kept whole, and properties of plots."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from livestream.events import JsonObject
from livestream.studio.store.sqlite.state import ExperimentState, encode
from livestream.studio.update import Picture, Snapshot

_ADD_IMAGE: Final = """
INSERT INTO image (experiment, path, step, sha256, media_type, size, received_us) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (experiment, path, step, sha256) DO NOTHING
"""
_PUT: Final = """
INSERT INTO plot (experiment, path, props, session, step, received_us, content) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (experiment, path) DO UPDATE SET props = excluded.props, session = excluded.session, step = excluded.step,
    received_us = excluded.received_us, content = excluded.content
"""
_FIND: Final = "SELECT session, step, props, content FROM plot WHERE experiment = ? AND path = ?"


def add_pictures(
    connection: sqlite3.Connection,
    state: ExperimentState,
    pictures: Sequence[tuple[Picture, str]],
    received_us: int,
) -> set[str]:
    """Store images, given with the sha256 of their files; the paths of those that are new."""
    new: set[str] = set()
    for picture, sha256 in pictures:
        size = len(picture.content)
        row = (state.id, picture.path, picture.step, sha256, picture.media_type, size, received_us)
        if connection.execute(_ADD_IMAGE, row).rowcount:
            new.add(picture.path)
    return new


def put_snapshots(
    connection: sqlite3.Connection,
    state: ExperimentState,
    snapshots: Sequence[Snapshot],
    rank: tuple[int, int],
    received_us: int,
) -> set[str]:
    """Keep the newest of each plot; the paths of those that changed."""
    changed: set[str] = set()
    for snapshot in snapshots:
        if _put(connection, state.id, snapshot.path, snapshot.props, snapshot.rows, rank, received_us):
            changed.add(snapshot.path)
            state.props.pop(snapshot.path, None)
    return changed


def put_props(
    connection: sqlite3.Connection,
    state: ExperimentState,
    props: dict[str, JsonObject],
    rank: tuple[int, int],
    received_us: int,
) -> set[str]:
    """Keep the newest properties of plots that are series; the paths of those that changed."""
    changed: set[str] = set()
    for path, new in props.items():
        if state.props.get(path, {}) == new:
            continue
        if _put(connection, state.id, path, new, None, rank, received_us):
            changed.add(path)
            state.props[path] = new
    return changed


def _put(
    connection: sqlite3.Connection,
    experiment: int,
    path: str,
    props: JsonObject,
    content: bytes | None,
    rank: tuple[int, int],
    received_us: int,
) -> bool:
    encoded = encode(props)
    stored = connection.execute(_FIND, (experiment, path)).fetchone()
    if stored is not None and rank < stored[:2]:
        return False
    connection.execute(_PUT, (experiment, path, encoded, *rank, received_us, content))
    return stored is None or (encoded, content) != stored[2:]
