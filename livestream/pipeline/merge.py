"""Merges flat metric names into the nested dictionary that ``metrics.json`` is, without changing the one it is given.

``train/loss`` stands in ``{"train": {"loss": ...}}``. A level is copied when it is first written to and then written in
place, so an update costs the levels it touches, whatever the history. Where a scalar stands in the way of a name, or
a level in the way of a scalar (another writer, a resumed run), the newest wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from livestream.events import JsonObject, Scalar

MAX_LEVELS = 64  # own choice: JSON encoders stop at 254 levels (orjson), and no screen shows this many

Parts: TypeAlias = tuple[str, ...]


def parts_of(name: str) -> Parts:
    """Split a metric's name into levels; what lies deeper than ``MAX_LEVELS`` stays one name."""
    return tuple(name.split("/", MAX_LEVELS - 1))


def nest(whole: JsonObject, deltas: Mapping[str, Scalar]) -> JsonObject:
    """Return a copy of ``whole`` in which each flat name of ``deltas`` is set, in the mapping's order."""
    tree = _Tree(whole)
    for name, value in deltas.items():
        tree.set(parts_of(name), value)
    return tree.root


def last_values(events: Sequence[dict[str, Scalar]]) -> dict[str, Scalar]:
    """Give each name's newest value, in an order that lets ``nest`` decide conflicts in favour of the newest.

    Args:
        events: The metrics of consecutive events, oldest first.
    """
    values: dict[str, Scalar] = {}
    for metrics in events:
        values.update(metrics)
    if not _contested(values):
        return values
    # An updated key keeps its old place in a dictionary; where places decide, take the newest first instead.
    values = {}
    for metrics in reversed(events):
        for name in reversed(metrics):
            values.setdefault(name, metrics[name])
    return {name: values[name] for name in reversed(values)}


def _contested(names: Iterable[str]) -> bool:
    """Say whether one name is a level of another."""
    known = {parts_of(name) for name in names}
    return any(parts[:end] in known for parts in known for end in range(1, len(parts)))


class _Tree:
    """A nested dictionary of which only the levels in ``_owned`` are its own to write to."""

    def __init__(self, whole: JsonObject) -> None:
        self.root = dict(whole)
        self._owned: dict[Parts, JsonObject] = {(): self.root}

    def set(self, parts: Parts, value: Scalar) -> None:
        if parts in self._owned:
            self._forget(parts)
        self._level(parts[:-1])[parts[-1]] = value

    def _level(self, parts: Parts) -> JsonObject:
        known = self._owned.get(parts)
        if known is not None:
            return known
        level = self.root
        for end in range(1, len(parts) + 1):
            child = self._owned.get(parts[:end])
            if child is None:
                old = level.get(parts[end - 1])
                child = dict(old) if isinstance(old, dict) else {}
                level[parts[end - 1]] = child
                self._owned[parts[:end]] = child
            level = child
        return level

    def _forget(self, parts: Parts) -> None:
        """A scalar takes this level's place: it and what hangs below it are no longer part of the tree."""
        for owned in [owned for owned in self._owned if owned[: len(parts)] == parts]:
            del self._owned[owned]
