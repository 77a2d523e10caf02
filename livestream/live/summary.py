"""The summary, which ``metrics.json`` holds: the last value of each metric, nested by the levels of its name.

The dictionary is the user's too (``live.summary["best"] = 0.9``), so whatever ``json`` writes may stand in it. What
stands in it nearly always, numbers and texts in dictionaries, is written here directly, in less than half of the time
that ``json`` takes with an indent, which is its pure Python; anything else is left to ``json``.

NaN and infinities become texts as ``log_metric`` writes them: JSON has no numbers for them, and a Studio refuses a file
that has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Final

from livestream.events import Json, JsonObject
from livestream.live import writing
from livestream.live.error import InvalidNameError
from livestream.live.metrics import NUMPY_FLOATS, NUMPY_INTS
from livestream.live.swapping import SwappedFile

_INDENT: Final = "    "
_QUOTED: Final = {text: f'"{text}"' for text in ("nan", "inf", "-inf")}
_quoted: Callable[[str], str] = encode_basestring_ascii


def check_place(summary: JsonObject, parts: tuple[str, ...]) -> None:
    """Check that a metric's levels are free, or a metric's already.

    Raises:
        InvalidNameError: Another metric is in the way.
    """
    if parts[0] == "step" and len(parts) > 1:
        raise InvalidNameError("'step' is the step itself, so nothing can be below it")
    level: Json = summary
    for depth, part in enumerate(parts[:-1], 1):
        level = level.get(part)
        if level is None:
            return
        if not isinstance(level, dict):
            raise InvalidNameError(f"{'/'.join(parts[:depth])!r} is a metric already, so nothing can be below it")
    if isinstance(level.get(parts[-1]), dict):
        raise InvalidNameError(f"there are metrics below {'/'.join(parts)!r} already, so it cannot be one")


def place(summary: JsonObject, parts: tuple[str, ...], value: Json) -> None:
    """Put a metric's value in its place.

    Raises:
        InvalidNameError: Another metric has come in the way since ``check_place``.
    """
    level = summary
    for part in parts[:-1]:
        below = level.get(part)
        if below is None:
            below = level[part] = {}
        elif not isinstance(below, dict):
            check_place(summary, parts)
        level = below
    level[parts[-1]] = value


def to_text(summary: Mapping[str, Json]) -> str:
    """Write the content of metrics.json.

    Raises:
        TypeError: JSON cannot hold what somebody put there.
        ValueError: It holds itself.
    """
    try:
        try:
            return f"{_object(summary, '')}\n"
        except _UnusualError:
            return f"{json.dumps(_finite(summary), indent=4, default=_numpy_number)}\n"
    except RecursionError as error:
        raise ValueError("Circular reference detected") from error  # as json says it


class _UnusualError(Exception):
    """Left to ``json``."""


def _object(values: Mapping[str, Json], indent: str) -> str:
    if type(values) is not dict:
        raise _UnusualError
    if not values:
        return "{}"
    deeper = indent + _INDENT
    lines = []
    for name, value in values.items():
        kind = type(value)
        if kind is float:
            text = repr(value)
            text = _QUOTED.get(text, text)
        elif kind is int:
            text = repr(value)
        elif kind is str:
            text = _quoted(value)
        elif kind is dict:
            text = _object(value, deeper)
        else:
            text = _other(value, kind)
        if type(name) is not str:
            raise _UnusualError
        lines.append(f"{deeper}{_quoted(name)}: {text}")
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _other(value: Json, kind: type) -> str:
    if kind is bool:
        return "true" if value else "false"
    if kind.__module__ == "numpy":
        if kind.__name__ in NUMPY_FLOATS:
            text = repr(float(value))
            return _QUOTED.get(text, text)
        if kind.__name__ in NUMPY_INTS:
            return repr(int(value))
    raise _UnusualError


def _finite(value: Json) -> Json:
    if isinstance(value, dict):
        return {_finite_key(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) or _is_numpy(value, NUMPY_FLOATS):
        return float(value) if isfinite(value) else repr(float(value))
    return value


def _finite_key(name: Json) -> Json:
    return repr(float(name)) if isinstance(name, float) and not isfinite(name) else name


def _numpy_number(value: Json) -> int:
    if _is_numpy(value, NUMPY_INTS):
        return int(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _is_numpy(value: Json, names: frozenset[str]) -> bool:
    kind = value.__class__
    return kind.__module__ == "numpy" and kind.__name__ in names


class SummaryFile:
    """``metrics.json``: written only when its content changed, or when somebody else wrote or removed it."""

    def __init__(self, path: str) -> None:
        """Know the path; nothing is read or written."""
        self._path = path
        self._text: str | None = None
        self._file = SwappedFile(path)

    def write(self, summary: Mapping[str, Json]) -> bool:
        """Bring the file up to date. Trouble with the disk is said once, and raises nothing.

        Returns:
            Whether it was written.

        Raises:
            TypeError: JSON cannot hold what somebody put into the summary.
            ValueError: The summary holds itself.
        """
        text = to_text(summary)
        if text == self._text and self._file.is_as_left():
            return False
        self._text = None
        with writing.said_once(self._path):
            self._file.put(text)
            self._text = text
        return self._text is not None
