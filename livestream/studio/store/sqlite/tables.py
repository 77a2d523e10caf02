"""The table of experiments: all of them in brief, or some of them whole.

A page of 1,500 experiments with 200 columns each is some 10 MB of JSON. SQLite joins the stored texts into a few long
ones, each is decoded once, and the dictionaries within are never decoded at all: the answer carries them as they are.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from livestream.events import Json
from livestream.studio.query import Held, leaf
from livestream.studio.repositories import shows
from livestream.studio.store.base import Brief, ExperimentHead, ExperimentRow, KeyPath, Scope

T = TypeVar("T")

BATCH: Final = 256
"""Experiments put into one text: long enough to be worth it, short enough to stay in memory some at a time."""
_MAX_PATHS: Final = 100
"""Of one call of a function; SQLite takes 127 arguments."""
_NOTHING: Final = "$[0]"
"""A path into an object that leads nowhere: with two paths or more `json_extract` gives an array, each value in it as
exact as it was stored."""

_PLAIN: Final = re.compile('[^\\x00-\\x1f"\\\\\ud800-\udfff]+')
"""Labels that a path of SQLite can name in every version of it; others are looked up here."""

_SCOPE: Final = """
    SELECT CAST('[' || group_concat(line) || ']' AS BLOB) FROM (
        SELECT json_array(id, subdir) AS line FROM experiment
        WHERE (:repository IS NULL OR repository = :repository) AND (deleted_us IS NOT NULL) = :deleted
        AND (:shas IS NULL OR baseline_sha IN (SELECT value FROM json_each(:shas)))
        AND (:names IS NULL OR name IN (SELECT value FROM json_each(:names)))
        AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
        ORDER BY created_us DESC, id DESC)"""

_SCOPE_DECODER: Final = msgspec.json.Decoder(list[tuple[int, str]])

_COMMON: Final = """'{"id":' || e.id
    || ',"identity":{"repository":' || json_quote(e.repository) || ',"repo_url":' || json_quote(e.repo_url)
    || ',"baseline_sha":' || json_quote(e.baseline_sha) || ',"name":' || json_quote(e.name)
    || '},"subdir":' || json_quote(e.subdir) || ',"created_us":' || e.created_us || ',"updated_us":' || e.updated_us
    || ',"deleted_us":' || ifnull(e.deleted_us, 'null') || ',"facts":' || CAST(e.facts AS TEXT)"""

_DICTIONARIES: Final = """ || ',"metrics":' || CAST(e.metrics AS TEXT) || ',"params":' || CAST(e.params AS TEXT)"""


class _Found(ExperimentHead, frozen=True, kw_only=True):
    """A `Brief` with its values as they were found, by group; ``metrics`` and ``params`` only if some are odd."""

    values: list[list[Json]] = msgspec.field(default_factory=list)
    metrics: dict[str, Json] = msgspec.field(default_factory=dict)
    params: dict[str, Json] = msgspec.field(default_factory=dict)


_FOUND_DECODER: Final = msgspec.json.Decoder(list[_Found])
_ROW_DECODER: Final = msgspec.json.Decoder(list[ExperimentRow])


def read_briefs(connection: sqlite3.Connection, scope: Scope, keys: Sequence[KeyPath]) -> list[Brief]:
    """Read all experiments in scope, newest first; the caller holds a read transaction open."""
    ids = read_ids(connection, scope)
    plain = [key for key in keys if _is_plain(key)]
    document = _COMMON
    paths: dict[str, str] = {}
    if plain:
        arrays = " || ',' || ".join(_arrays(plain, paths))
        document += f""" || ',"values":[' || {arrays} || ']'"""
    if len(plain) < len(keys):
        document += _DICTIONARIES
    document += " || '}'"
    return [
        Brief(
            id=found.id,
            identity=found.identity,
            subdir=found.subdir,
            created_us=found.created_us,
            updated_us=found.updated_us,
            deleted_us=found.deleted_us,
            facts=found.facts,
            keys=_values(found, keys, plain),
        )
        for found in _documents(connection, document, ids, paths, _FOUND_DECODER)
    ]


def read_rows(connection: sqlite3.Connection, ids: Sequence[int]) -> list[ExperimentRow]:
    """Read experiments whole, in the order of ``ids``; the caller holds a read transaction open."""
    return list(_documents(connection, f"{_COMMON}{_DICTIONARIES} || '}}'", ids, {}, _ROW_DECODER))


def read_ids(connection: sqlite3.Connection, scope: Scope) -> list[int]:
    """Read the ids of all experiments in scope, newest first; the caller holds a read transaction open."""
    asked = {
        "repository": scope.repository,
        "deleted": scope.deleted,
        "shas": _list_or_none(scope.baseline_shas),
        "names": _list_or_none(scope.names),
        "ids": _list_or_none(scope.ids),
    }
    ((found,),) = connection.execute(_SCOPE, asked).fetchall()
    if found is None:
        return []
    return [id_ for id_, subdir in _SCOPE_DECODER.decode(found) if not scope.subdir or shows(scope.subdir, subdir)]


def _list_or_none(wanted: Sequence[str] | Sequence[int]) -> str | None:
    return msgspec.json.encode(wanted).decode() if wanted else None


def _documents(
    connection: sqlite3.Connection,
    document: str,
    ids: Sequence[int],
    asked: dict[str, str],
    decoder: msgspec.json.Decoder[list[T]],
) -> Iterator[T]:
    """Read a document of each experiment, in the order of ``ids``."""
    sql = f"""SELECT CAST('[' || group_concat({document}) || ']' AS BLOB)
        FROM json_each(:ids) AS asked CROSS JOIN experiment AS e ON e.id = asked.value"""  # noqa: S608 - paths are bound
    for start in range(0, len(ids), BATCH):
        batch = msgspec.json.encode(ids[start : start + BATCH]).decode()
        ((found,),) = connection.execute(sql, {**asked, "ids": batch}).fetchall()
        if found is not None:
            yield from decoder.decode(found)


def _is_plain(key: KeyPath) -> bool:
    return all(_PLAIN.fullmatch(label) for label in (key.file, *key.names))


def _arrays(keys: Sequence[KeyPath], paths: dict[str, str]) -> Iterator[str]:
    """Give the expressions that look up ``keys``, metrics first; their paths are put into ``paths`` to be bound."""
    for group in ("metrics", "params"):
        wanted = [key for key in keys if key.group == group]
        for start in range(0, len(wanted), _MAX_PATHS):
            names = []
            for key in wanted[start : start + _MAX_PATHS]:
                name = f"path_{len(paths)}"
                paths[name] = "$" + "".join(f'."{label}"' for label in (key.file, *key.names))
                names.append(f":{name}")
            yield f"json_extract(CAST(e.{group} AS TEXT), '{_NOTHING}', {', '.join(names)})"


def _values(found: _Found, keys: Sequence[KeyPath], plain: Sequence[KeyPath]) -> tuple[Held, ...]:
    """Put what was found by SQLite, and what was not looked up there, in the order of ``keys``."""
    if not keys:
        return ()
    by_group = sorted(plain, key=lambda key: key.group)
    extracted = [value for array in found.values for value in array[1:]]
    known = dict(zip(by_group, extracted, strict=True))
    return tuple(leaf(known[key] if key in known else _look_up(found, key)) for key in keys)


def _look_up(found: _Found, key: KeyPath) -> Json:
    value: Json = found.metrics if key.group == "metrics" else found.params
    for name in (key.file, *key.names):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value
