"""Columns of points, and putting rows into them that come as dictionaries.

What a row must hold to fit is told in `rows`. Nearly always all rows of a plot have the same columns; then a column is
read at once, at a fifth of what it costs row by row. Most posts hold one row of each plot; for it there is a shorter
way too, because it is walked a hundred times a post.
"""

from __future__ import annotations

import re
from typing import Any, Final

from livestream.events import JsonObject
from livestream.studio.update import Value
from livestream.studio.wire.fields import LARGEST_INT, SMALLEST_INT, narrow, problem_of_key

MAX_COLUMNS: Final = 1_000
"""Of a plot that becomes points; each is a series of its own."""

LATEST_MS: Final = LARGEST_INT // 1000
"""The store reckons in microseconds of 64 bits; a later time cannot be meant."""

_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE: Final[dict[str, Value]] = {
    "nan": "nan",
    "inf": float("inf"),
    "+inf": float("inf"),
    "-inf": float("-inf"),
    "infinity": float("inf"),
    "+infinity": float("inf"),
    "-infinity": float("-inf"),
}
_SHORT_DIGITS: Final = 18  # fewer than would be beyond 64 bits
_AXES: Final = ("step", "timestamp")
NOT_VALUES: Final = frozenset(_AXES)


class Column:
    """One column of points; parallel lists. ``timestamps`` has zeros where a row says nothing."""

    __slots__ = ("steps", "timestamps", "values")

    def __init__(self, steps: list[int], values: list[Value], timestamps: list[int]) -> None:
        self.steps = steps
        self.values = values
        self.timestamps = timestamps


def own_axis(path: str) -> str | None:
    """Give the column of a metric that has an axis's name: of DVCLive's ``timestamp`` rows are step and timestamp."""
    name = path[path.rfind("/") + 1 :]
    if not name.startswith(_AXES):
        return None
    stem = name.partition(".")[0]
    return stem if stem in NOT_VALUES else None


def sort_rows(rows: list[JsonObject], own: str | None = None) -> dict[str, Column] | None:
    """Put rows in columns; None where a row does not fit."""
    columns = _sort_one(rows[0]) if len(rows) == 1 else _sort_alike(rows)
    return _sort(rows, own) if columns is None else columns


def _sort_one(row: JsonObject) -> dict[str, Column] | None:
    """Put the only row in columns; None where that is not simple."""
    step, stamp = row.get("step"), row.get("timestamp")
    if type(step) is not int or not SMALLEST_INT <= step <= LARGEST_INT or len(row) > MAX_COLUMNS:
        return None
    timestamps = [0 if stamp is None else timestamp_of(stamp)]
    columns = {}
    for name, value in row.items():
        if name in NOT_VALUES:
            continue
        if type(value) is not float or _is_no_name(name):
            return None
        columns[name] = Column([step], [value], timestamps)
    return columns or None


def _sort_alike(rows: list[JsonObject]) -> dict[str, Column] | None:
    """Put rows in columns that all have the same ones, each with a value; None where they do not."""
    first = rows[0] if rows else {}
    names = [name for name in first if name not in NOT_VALUES]
    if not names or len(names) > MAX_COLUMNS or len(set(map(len, rows))) > 1 or any(map(_is_no_name, names)):
        return None
    try:
        steps = [row["step"] for row in rows]
        if set(map(type, steps)) != {int} or not _all_narrow(steps):
            return None
        timestamps = timestamps_of([row["timestamp"] for row in rows]) if "timestamp" in first else []
        columns = {}
        for name in names:
            values = values_of([row[name] for row in rows])
            if values is None:
                return None
            columns[name] = Column(steps, values, timestamps)
    except KeyError:
        return None
    return columns


def _sort(rows: list[JsonObject], own: str | None) -> dict[str, Column] | None:
    columns: dict[str, Column] = {}
    for row in rows:
        step = row.get("step")
        if type(step) is not int or not SMALLEST_INT <= step <= LARGEST_INT:
            return None
        timestamp = timestamp_of(row.get("timestamp"))
        has_value = False
        for name, raw in row.items():
            if raw is None or name in NOT_VALUES:
                continue
            value = raw if type(raw) is float else number_of(raw)
            column = columns.get(name) or _new_column(columns, name)
            if value is None or column is None:
                return None
            column.steps.append(step)
            column.values.append(value)
            column.timestamps.append(timestamp)
            has_value = True
        if not has_value and not _add_own(columns, row, own):
            return None
    return columns


def _add_own(columns: dict[str, Column], row: JsonObject, own: str | None) -> bool:
    """Add a row that holds nothing but its axis."""
    value = number_of(row.get(own)) if own is not None else None
    if own is None or value is None:
        return False
    column = columns.setdefault(own, Column([], [], []))
    column.steps.append(row["step"])
    column.values.append(value)
    column.timestamps.append(0)
    return True


def _new_column(columns: dict[str, Column], name: str) -> Column | None:
    if len(columns) >= MAX_COLUMNS or _is_no_name(name):
        return None
    columns[name] = Column([], [], [])
    return columns[name]


def _is_no_name(name: str) -> bool:
    return not name or bool(problem_of_key(name))


def number_of(raw: object) -> Value | None:
    """Give a point's value of what stands in a row; None where it is no number, nor a text that means one."""
    if type(raw) is float:
        return raw
    if type(raw) is int:
        number = narrow(raw)
        return _NOT_FINITE[number] if isinstance(number, str) else number
    if not isinstance(raw, str) or len(raw) > 400:
        return None
    text = raw.strip().lower()
    if text in _NOT_FINITE:
        return _NOT_FINITE[text]
    if not _NUMBER.fullmatch(text):
        return None
    return number_of(int(text)) if text.lstrip("+-").isdecimal() else float(text)


def timestamp_of(raw: object) -> int:
    """Give milliseconds since the epoch; 0 where there is nothing that can be them."""
    if type(raw) is str and len(raw) <= _SHORT_DIGITS and raw.isdecimal() and raw.isascii():
        raw = int(raw)  # as DVCLive sends them
    if type(raw) is int and 0 < raw <= LATEST_MS:
        return raw
    number = number_of(raw)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return number if isinstance(number, int) and 0 < number <= LATEST_MS else 0


def values_of(raw: list[Any]) -> list[Value] | None:
    """Give the values of points; None where one is none."""
    kinds = set(map(type, raw))
    if kinds <= {float} or (kinds <= {float, int} and _all_narrow(raw)):
        return raw
    values = [number_of(value) for value in raw]
    return None if None in values else values  # type: ignore[return-value]


def timestamps_of(raw: list[Any]) -> list[int]:
    """Give milliseconds since the epoch, with zeros where there is nothing that can be them."""
    if set(map(type, raw)) == {int} and min(raw) > 0 and max(raw) <= LATEST_MS:
        return raw
    return [timestamp_of(value) for value in raw]


def _all_narrow(numbers: list[Any]) -> bool:
    return not numbers or (min(numbers) >= SMALLEST_INT and max(numbers) <= LARGEST_INT)
