"""The rows of a plot: columns of points where all of them are (step, value), else nothing to draw a chart from.

A row fits when its ``step`` is a whole number of 64 bits and every other column but ``timestamp`` is a number, or a
text that means one, with at least one such value. One row that does not fit makes the whole plot a snapshot, because a
chart that leaves out rows would be a lie.

Two ways read the same rows. Rows with the same columns, which is what every client sends, are read into structs made
for those columns: 0.11 us a row where dictionaries take 0.2 us, and a third of their memory. All others, and short
lists, for which making a type would cost more than it saves, go by dictionaries (`columns`). The structs refuse
unknown fields, so that a column that comes later is never lost.

A plot may be 29 MB of rows. `split_rows` cuts such a list where one row ends and the next begins. A cut is a guess
(``},{`` may stand in a text, or in a list inside a row), proved by its left side being whole JSON: inside a text it
would lack a quote, inside a row a bracket. What decodes is whole, so that of rows of numbers the proof is the decoding
(`Proof`), and each byte is read once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec

from livestream.events import JsonObject
from livestream.studio.wire.columns import LATEST_MS, NOT_VALUES, Column, sort_rows, timestamps_of, values_of
from livestream.studio.wire.fields import (
    LARGEST_INT,
    MAX_DEPTH,
    SMALLEST_INT,
    WireError,
    check_depth,
    problem_of_key,
    read,
)

PIECE_BYTES: Final = 192 * 1024
"""Of rows in one piece: some 4,400 of two columns, decoded in half a millisecond."""

_TRIES: Final = 64
_MAX_UNCUT_BYTES: Final = 8 * 1024 * 1024
_WORTH_A_TYPE_BYTES: Final = 4_096  # making a type costs what reading 1,000 rows by dictionaries does
_MAX_TYPES: Final = 256
_MAX_TYPE_COLUMNS: Final = 64
_HEAD_BYTES: Final = 8_192
_BETWEEN_ROWS: Final = re.compile(rb"\}[ \t\r\n]*(,)[ \t\r\n]*\{")

_SHAPE: Final = msgspec.json.Decoder(msgspec.Raw)
_DICTIONARIES: Final = msgspec.json.Decoder(list[JsonObject])
_types: dict[tuple[str, ...], _Type] = {}
_Step: TypeAlias = Annotated[int, msgspec.Meta(ge=SMALLEST_INT, le=LARGEST_INT)]
_Number: TypeAlias = _Step | float
_Stamp: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=LATEST_MS)]


class _Type(NamedTuple):
    """Decoders of rows with certain columns: one for any values, and one that takes nothing but numbers in bounds.

    Of both, timestamps may be texts, as DVCLive sends them.
    """

    names: tuple[str, ...]
    values: msgspec.json.Decoder[list[Any]]
    numbers: msgspec.json.Decoder[list[Any]]


class Proof:
    """Proves that a piece of rows is whole by decoding it as rows of numbers, and keeps what it decoded."""

    def __init__(self) -> None:
        self._piece = b""
        self._found: tuple[_Type, list[Any]] | None = None

    def __call__(self, piece: bytes) -> None:
        """Check a piece; keep its rows if they are numbers.

        Raises:
            msgspec.DecodeError: It is not whole.
        """
        if self.numbers(piece) is None:
            _SHAPE.decode(piece)

    def numbers(self, piece: bytes) -> tuple[_Type, list[Any]] | None:
        """Give the rows of a piece, and their type; None where they are not all numbers."""
        if piece is not self._piece:
            self._piece, self._found = piece, _numbers(piece)
        return self._found


def read_columns(
    rows: bytes, path: str, own: str | None = None, proof: Proof | None = None
) -> dict[str, Column] | None:
    """Read a list of rows.

    Args:
        own: What is the value in rows that hold nothing but their axis; see `own_axis`.
        proof: By which the rows were cut, if they were.

    Returns:
        The columns by name; None where a row does not fit. An empty list has no columns.

    Raises:
        WireError: It is no list of objects.
    """
    if len(rows) >= _WORTH_A_TYPE_BYTES:
        numbers = (proof or Proof()).numbers(rows)
        by_type = _read_by_type(rows) if numbers is None else _columns_of(*numbers)
        if by_type is not None:
            return by_type
    return sort_rows(check_rows(rows, path), own)


def fit(rows: bytes, path: str, own: str | None, proof: Proof) -> bool:
    """Say whether `read_columns` would give columns; of rows of numbers it is known as soon as they are cut.

    Raises:
        WireError: It is no list of objects.
    """
    is_worth_it = len(rows) >= _WORTH_A_TYPE_BYTES
    return (is_worth_it and proof.numbers(rows) is not None) or read_columns(rows, path, own, proof) is not None


def check_rows(rows: bytes, path: str) -> list[JsonObject]:
    """Read a list of objects, of any content."""
    found = read(_DICTIONARIES, rows, path)
    if rows.count(b"{") + rows.count(b"[") > len(found) + MAX_DEPTH:
        check_depth(found, path)
    return found


def split_rows(rows: memoryview, path: str, proof: Proof | None = None) -> Iterator[bytes]:
    """Cut a list of rows into lists of at most `PIECE_BYTES`, or little more, in their order.

    Args:
        proof: Is left with what it knows of the piece that was given last; for rows that should be numbers.

    Raises:
        WireError: It is so large, and so built, that it cannot be cut.
    """
    start = 0
    while len(rows) - start > PIECE_BYTES:
        cut = _cut(rows, start, proof or _SHAPE.decode)
        if cut is None:
            break
        piece, start = cut
        yield piece
    if len(rows) - start > _MAX_UNCUT_BYTES:
        raise WireError(path, f"rows that cannot be told apart in {_MAX_UNCUT_BYTES:,} bytes")
    yield bytes(rows) if not start else b"[" + bytes(rows[start:])


def _cut(rows: memoryview, start: int, prove: Callable[[bytes], object]) -> tuple[bytes, int] | None:
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
            prove(piece)
        except (msgspec.DecodeError, RecursionError):
            searched = comma
        else:
            return piece, comma + 1
    return None


# -- by types


def _numbers(rows: bytes) -> tuple[_Type, list[Any]] | None:
    type_ = _type_of(_names_of_first(rows))
    if type_ is None:
        return None
    try:
        return type_, type_.numbers.decode(rows)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # texts may mean numbers, and columns may be missing


def _columns_of(type_: _Type, rows: list[Any]) -> dict[str, Column]:
    """Put rows of numbers in columns."""
    steps: list[int] = [row.step for row in rows]
    timestamps = [row.timestamp for row in rows] if "timestamp" in type_.names else []
    if str in set(map(type, timestamps)):
        timestamps = timestamps_of(timestamps)
    return {
        name: Column(steps, list(map(attrgetter(f"value_{index}"), rows)), timestamps)
        for index, name in enumerate(type_.names)
        if name not in NOT_VALUES
    }


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
    timestamps = timestamps_of([row.timestamp for row in found]) if "timestamp" in names else []
    columns = {}
    for index, name in enumerate(names):
        if name in NOT_VALUES:
            continue
        values = values_of([getattr(row, f"value_{index}") for row in found])
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
    values = [name for name in names if name not in NOT_VALUES]
    if "step" not in names or not values or len(names) > _MAX_TYPE_COLUMNS or any(map(problem_of_key, values)):
        return None
    try:
        made = _Type(
            names,
            _decoder(names, int | float | str, int | float | str | None),
            _decoder(names, _Number, _Stamp | str),
        )
    except (ValueError, TypeError):
        return None  # a name that msgspec has no room for
    if len(_types) >= _MAX_TYPES:
        _types.clear()
    _types[names] = made
    return made


def _decoder(names: tuple[str, ...], value: Any, timestamp: Any) -> msgspec.json.Decoder[list[Any]]:
    fields: list[tuple[str, Any, Any]] = []
    for index, name in enumerate(names):
        if name == "step":
            fields.append(("step", _Step, msgspec.field()))
        elif name == "timestamp":
            fields.append(("timestamp", timestamp, msgspec.field()))
        else:
            fields.append((f"value_{index}", value, msgspec.field(name=name)))
    row = msgspec.defstruct("Row", fields, gc=False, forbid_unknown_fields=True)
    return msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
