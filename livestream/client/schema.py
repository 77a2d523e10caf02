"""The rules for a body of ``api/live``, and what is said of one that breaks them.

dvc-studio-client states its rules in voluptuous. Here they are a table of small checks with the same verdicts and the
same texts, so that what looks for a text in a log goes on finding it, and a training loads no validation library. Two
of its looseness are kept on purpose: a commit may hold the letters g and h and end in a newline, and a bool is an int.

A check is given a value and its path in the body, and lists the mistakes in it; none means that it is fine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from livestream.events import Json, JsonObject

MAX_SHOWN_CHARS: Final = 500
"""Of an offending value (dvc-studio-client's log cuts there)."""

Path: TypeAlias = tuple[Json, ...]


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong, and where."""

    path: Path
    problem: str


Check: TypeAlias = Callable[[Json, Path], list[Mistake]]


def problems(event_type: str, body: JsonObject) -> str | None:
    """Say what is wrong with a body of one of the types in ``EVENT_TYPES``, a line a mistake; ``None``: nothing."""
    mistakes = _CHECKS[event_type](body, ())
    return "\n".join(sorted(_describe(mistake, body) for mistake in mistakes)) or None


def place(path: Path) -> str:
    """Write a path as logs show it: ``data['plots']['a.tsv']``."""
    return "data" + "".join(f"[{key!r}]" for key in path)


def _describe(mistake: Mistake, body: JsonObject) -> str:
    shown = repr(_find(body, mistake.path))
    if len(shown) > MAX_SHOWN_CHARS:
        shown = shown[: MAX_SHOWN_CHARS - 3] + "..."
    where = f" @ {place(mistake.path)}" if mistake.path else ""
    return f"{mistake.problem}{where}. Got {shown}"


def _find(value: Json, path: Path) -> Json:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):  # what is missing, or the path of a key that is none
            return None
    return value


class _Group(str):
    """A name for keys that exclude each other, where a path would have a key."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self}>"


def _instance(kind: type) -> Check:
    def check(value: Json, path: Path) -> list[Mistake]:
        return [] if isinstance(value, kind) else [Mistake(path, f"expected {kind.__name__}")]

    return check


def _one_of(*words: str) -> Check:
    def check(value: Json, path: Path) -> list[Mistake]:
        return [] if value in words else [Mistake(path, f"expected one of {', '.join(words)}")]

    return check


def _commit(value: Json, path: Path) -> list[Mistake]:
    return [] if _COMMIT.match(str(value).lower()) else [Mistake(path, "expected a length 40 commit sha")]


def _by_name(check_value: Check) -> Check:
    """A dictionary with any texts as keys."""

    def check(value: Json, path: Path) -> list[Mistake]:
        if not isinstance(value, dict):
            return [Mistake(path, "expected a dictionary")]
        mistakes = []
        for key, item in value.items():
            key_path = (*path, key)
            named = isinstance(key, str)
            mistakes += _of_value(check_value, item, key_path) if named else [Mistake(key_path, "expected str")]
        return mistakes

    return check


def _fields(checks: Mapping[str, Check], required: tuple[str, ...] = (), exclusive: tuple[str, ...] = ()) -> Check:
    """A dictionary with these keys and no other; of the exclusive ones, which are one group, it has one at most."""

    def check(value: Json, path: Path) -> list[Mistake]:
        if not isinstance(value, dict):
            return [Mistake(path, "expected a dictionary")]
        if sum(key in value for key in exclusive) > 1:
            group = _Group(exclusive[0])
            return [
                Mistake((*path, group), f"two or more values in the same group of exclusion {exclusive[0]!r}"),
            ]
        mistakes = [Mistake((*path, key), "required key not provided") for key in required if key not in value]
        for key, item in value.items():
            key_path = (*path, key)
            known = checks.get(key)
            mistakes += _of_value(known, item, key_path) if known else [Mistake(key_path, "extra keys not allowed")]
        return mistakes

    return check


def _of_value(check: Check, value: Json, path: Path) -> list[Mistake]:
    """Check a dictionary's value; a mistake that is the value itself is said to be one."""
    return [
        mistake if len(mistake.path) > len(path) else Mistake(path, f"{mistake.problem} for dictionary value")
        for mistake in check(value, path)
    ]


def _list_of(check_item: Check) -> Check:
    def check(value: Json, path: Path) -> list[Mistake]:
        if not isinstance(value, list):
            return [Mistake(path, "expected a list")]
        mistakes = []
        for number, item in enumerate(value):
            item_path = (*path, number)
            found = check_item(item, item_path)
            if any(len(mistake.path) > len(item_path) for mistake in found):
                return found  # voluptuous reports no more than the first item that is wrong inside
            mistakes += found
        return mistakes

    return check


_COMMIT: Final = re.compile("^[0-9a-h]{40}$")
_TEXT: Final = _instance(str)
_DICT: Final = _instance(dict)
_ERROR: Final = _fields({"cls": _TEXT, "text": _TEXT}, required=("cls", "text"))
_PLOT: Final = _fields(
    {"data": _list_of(_DICT), "image": _TEXT, "props": _DICT, "error": _ERROR}, exclusive=("data", "image")
)
_COMMON: Final[dict[str, Check]] = {
    "type": _one_of("start", "done", "data"),
    "repo_url": _TEXT,
    "baseline_sha": _commit,
    "name": _TEXT,
    "env": _DICT,
    "client": _TEXT,
    "errors": _list_of(_ERROR),
    "params": _by_name(_DICT),
    "metrics": _by_name(_fields({"data": _DICT, "error": _ERROR})),
    "machine": _DICT,
}
_REQUIRED: Final = ("type", "repo_url", "baseline_sha")
_CHECKS: Final[dict[str, Check]] = {
    "start": _fields({**_COMMON, "message": _TEXT, "subdir": _TEXT}, _REQUIRED),
    "data": _fields({**_COMMON, "step": _instance(int), "plots": _by_name(_PLOT)}, (*_REQUIRED, "step")),
    "done": _fields({**_COMMON, "experiment_rev": _commit}, _REQUIRED),
}

EVENT_TYPES: Final = frozenset(_CHECKS)
