"""The rows of a plot: columns of points where all of them are (step, value), else nothing to draw a chart from.

A row fits when its ``step`` is a whole number of 64 bits and every other column but ``timestamp`` is a number, or a
text that means one, with at least one such value. One row that does not fit makes the whole plot a snapshot, because a
chart that leaves out rows would be a lie.

Two ways read the same rows. Rows with the same columns, which is what every client sends, are read into structs made
for those columns: 0.11 us a row where dictionaries take 0.2 us, and a third of their memory. All others, and short
lists, for which making a type would cost more than it saves, go by dictionaries. The structs refuse unknown fields, so
that a column that comes later is never lost.

A plot may be 29 MB of rows. `split_rows` cuts such a list where one row ends and the next begins. A cut is a guess
(``},{`` may stand in a text, or in a list inside a row), proved by its left side being whole JSON: inside a text it
would lack a quote, inside a row a bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec

from livestream.events import JsonObject
from livestream.studio.update import Value
from livestream.studio.wire.fields import (
    LARGEST_INT,
    MAX_DEPTH,
    SMALLEST_INT,
    WireError,
    check_depth,
    narrow,
    problem_of_key,
    read,
)

PIECE_BYTES: Final = 192 * 1024
"""Of rows in one piece: some 4,400 of two columns, decoded in half a millisecond."""
MAX_COLUMNS: Final = 1_000
"""Of a plot that becomes points; each is a series of its own."""

_TRIES: Final = 64
_MAX_UNCUT_BYTES: Final = 8 * 1024 * 1024
_WORTH_A_TYPE_BYTES: Final = 4_096  # making a type costs what reading 1,000 rows by dictionaries does
_MAX_TYPES: Final = 256
_MAX_TYPE_COLUMNS: Final = 64
_HEAD_BYTES: Final = 8_192
_BETWEEN_ROWS: Final = re.compile(rb"\}[ \t\r\n]*(,)[ \t\r\n]*\{")
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
_NOT_VALUES: Final = frozenset({"step", "timestamp"})

_SHAPE: Final = msgspec.json.Decoder(msgspec.Raw)
_DICTIONARIES: Final = msgspec.json.Decoder(list[JsonObject])
_types: dict[tuple[str, ...], _Type] = {}
_Step: TypeAlias = Annotated[int, msgspec.Meta(ge=SMALLEST_INT, le=LARGEST_INT)]


class _Type(NamedTuple):
    """Decoders of rows with certain columns: one for any values, and one that takes nothing but numbers."""

    values: msgspec.json.Decoder[list[Any]]
    numbers: msgspec.json.Decoder[list[Any]]


class Column:
    """One column of points; parallel lists. ``timestamps`` has zeros where a row says nothing."""

    __slots__ = ("steps", "timestamps", "values")

    def __init__(self, steps: list[int], values: list[Value], timestamps: list[int]) -> None:
        self.steps = steps
        self.values = values
        self.timestamps = timestamps


def read_columns(rows: bytes, path: str) -> dict[str, Column] | None:
    """Read a list of rows.

    Returns:
        The columns by name; None where a row does not fit. An empty list has no columns.

    Raises:
        WireError: It is no list of objects.
    """
    by_type = _read_by_type(rows) if len(rows) >= _WORTH_A_TYPE_BYTES else None
    if by_type is not None:
        return by_type
    return _sort(check_rows(rows, path))


def fit(rows: bytes, path: str) -> bool:
    """Say whether `read_columns` would give columns; of rows of numbers in half its time.

    Raises:
        WireError: It is no list of objects.
    """
    type_ = _type_of(_names_of_first(rows)) if len(rows) >= _WORTH_A_TYPE_BYTES else None
    if type_ is not None:
        try:
            type_.numbers.decode(rows)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # texts may mean numbers, and columns may be missing
        else:
            return True
    return read_columns(rows, path) is not None


def check_rows(rows: bytes, path: str) -> list[JsonObject]:
    """Read a list of objects, of any content."""
    found = read(_DICTIONARIES, rows, path)
    if rows.count(b"{") + rows.count(b"[") > len(found) + MAX_DEPTH:
        check_depth(found, path)
    return found


def split_rows(rows: memoryview, path: str) -> Iterator[bytes]:
    """Cut a list of rows into lists of at most `PIECE_BYTES`, or little more, in their order.

    Raises:
        WireError: It is so large, and so built, that it cannot be cut.
    """
    start = 0
    while len(rows) - start > PIECE_BYTES:
        cut = _cut(rows, start)
        if cut is None:
            break
        piece, start = cut
        yield piece
    if len(rows) - start > _MAX_UNCUT_BYTES:
        raise WireError(path, f"rows that cannot be told apart in {_MAX_UNCUT_BYTES:,} bytes")
    yield bytes(rows) if not start else b"[" + bytes(rows[start:])


def _cut(rows: memoryview, start: int) -> tuple[bytes, int] | None:
    """Give a piece that begins at ``start`` as a list, and where the next one begins; None where no cut is found."""
    opening = b"[" if start else b""
    searched = start + max(PIECE_BYTES - 1_024, 0)
    for _ in range(_TRIES):
        match = _BETWEEN_ROWS.search(rows, searched)
        if match is None:
            return None
        comma = match.start(1)
        piece = b"".join((opening, rows[start:comma], b"]"))
        try:
            _SHAPE.decode(piece)
        except (msgspec.DecodeError, RecursionError):
            searched = comma
        else:
            return piece, comma + 1
    return None


# -- by types


def _read_by_type(rows: bytes) -> dict[str, Column] | None:
    names = _names_of_first(rows)
    type_ = _type_of(names)
    if type_ is None:
        return None
    try:
        found = type_.values.decode(rows)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the other way tells what it is
    steps: list[int] = [row.step for row in found]
    timestamps = _timestamps([row.timestamp for row in found]) if "timestamp" in names else []
    columns = {}
    for index, name in enumerate(names):
        if name in _NOT_VALUES:
            continue
        values = _values([getattr(row, f"value_{index}") for row in found])
        if values is None:
            return None
        columns[name] = Column(steps, values, timestamps)
    return columns


def _names_of_first(rows: bytes) -> tuple[str, ...]:
    end = rows.find(b"}", 0, _HEAD_BYTES)
    try:
        return tuple(_DICTIONARIES.decode(rows[: end + 1] + b"]")[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError):
        return ()


def _type_of(names: tuple[str, ...]) -> _Type | None:
    known = _types.get(names)
    if known is not None:
        return known
    values = [name for name in names if name not in _NOT_VALUES]
    if "step" not in names or not values or len(names) > _MAX_TYPE_COLUMNS or any(map(problem_of_key, values)):
        return None
    try:
        made = _Type(_decoder(names, int | float | str), _decoder(names, int | float))
    except (ValueError, TypeError):
        return None  # a name that msgspec has no room for
    if len(_types) >= _MAX_TYPES:
        _types.clear()
    _types[names] = made
    return made


def _decoder(names: tuple[str, ...], value: Any) -> msgspec.json.Decoder[list[Any]]:
    fields: list[tuple[str, Any, Any]] = []
    for index, name in enumerate(names):
        if name == "step":
            fields.append(("step", _Step, msgspec.field()))
        elif name == "timestamp":
            fields.append(("timestamp", int | float | str | None, msgspec.field()))
        else:
            fields.append((f"value_{index}", value, msgspec.field(name=name)))
    row = msgspec.defstruct("Row", fields, gc=False, forbid_unknown_fields=True)
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]


def _values(raw: list[Any]) -> list[Value] | None:
    kinds = set(map(type, raw))
    if kinds <= {float} or (kinds <= {float, int} and _all_narrow(raw)):
        return raw
    values = [number_of(value) for value in raw]
    return None if None in values else values  # type: ignore[return-value]


def _timestamps(raw: list[Any]) -> list[int]:
    if set(map(type, raw)) == {int} and min(raw) > 0 and max(raw) <= LARGEST_INT:
        return raw
    return [_timestamp(value) for value in raw]


def _all_narrow(numbers: list[Any]) -> bool:
    return not numbers or (min(numbers) >= SMALLEST_INT and max(numbers) <= LARGEST_INT)


# -- by dictionaries


def _sort(rows: list[JsonObject]) -> dict[str, Column] | None:
    columns: dict[str, Column] = {}
    for row in rows:
        step = row.get("step")
        if type(step) is not int or not SMALLEST_INT <= step <= LARGEST_INT:
            return None
        timestamp = _timestamp(row.get("timestamp"))
        has_value = False
        for name, raw in row.items():
            if raw is None or name in _NOT_VALUES:
                continue
            value = number_of(raw)
            column = columns.get(name) or _new_column(columns, name)
            if value is None or column is None:
                return None
            column.steps.append(step)
            column.values.append(value)
            column.timestamps.append(timestamp)
            has_value = True
        if not has_value:
            return None
    return columns


def _new_column(columns: dict[str, Column], name: str) -> Column | None:
    if len(columns) >= MAX_COLUMNS or not name or problem_of_key(name):
        return None
    columns[name] = Column([], [], [])
    return columns[name]


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


def _timestamp(raw: object) -> int:
    """Give milliseconds since the epoch; 0 where there is nothing that can be them."""
    number = number_of(raw)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return number if isinstance(number, int) and 0 < number <= LARGEST_INT else 0
