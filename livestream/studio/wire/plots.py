"""Plots of a body: each becomes points, a picture, or a snapshot (DESIGN section 5; `livestream.studio.update`)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from operator import lt
from typing import Final

import msgspec

from livestream.events import JsonObject
from livestream.studio.update import Picture, Points, Snapshot
from livestream.studio.wire.columns import Column, own_axis, sort_rows
from livestream.studio.wire.fields import (
    LARGEST_INT,
    SMALLEST_INT,
    Fields,
    WireError,
    check_key,
    problem_of_key,
    read,
    read_extra,
    read_fields,
    read_object,
    read_problem,
)
from livestream.studio.wire.rows import Proof, check_rows, read_columns, split_rows

MAX_PLOTS: Final = 100_000
"""Of one body; our own daemon is told a lower limit, stock clients stop at 200."""

_KNOWN: Final = frozenset({"data", "image", "props", "error"})
_QUICK_BYTES: Final = 512 * 1024
_TEXT: Final = msgspec.json.Decoder(str)
_PLOTS: Final = msgspec.json.Decoder(dict[str, Fields])
_MEDIA_TYPES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


class _QuickPlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    data: list[dict[str, int | float | str | None]]


_QUICK: Final = msgspec.json.Decoder(dict[str, _QuickPlot])


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """One plot, its shape checked and its content not decoded yet.

    Attributes:
        rows: JSON, or None.
        image: JSON text of base64, or None.
        props: Props, ``error`` and unknown fields of the plot.
    """

    path: str
    rows: msgspec.Raw | None
    image: msgspec.Raw | None
    props: JsonObject

    @property
    def field(self) -> str:
        """The path in the body, for errors."""
        return f"plots.{self.path}"

    @property
    def is_whole(self) -> bool:
        """Whether its place says that it is a snapshot, whatever its rows look like."""
        return is_whole(self.path)


def is_whole(path: str) -> bool:
    """Whether a plot's place says that it is a snapshot; a table is a metric's, which may have such a folder's name."""
    path = f"/{path}"
    return ("/plots/custom/" in path or "/plots/sklearn/" in path) and not path.endswith(".tsv")


def read_quick(raw: msgspec.Raw) -> list[Points] | None:
    """Read plots that are nothing but rows to draw charts from, as those of nearly all small bodies are, all at once.

    Returns:
        None where anything is otherwise, or wrong: `read_plots` and what follows it say what it is.
    """
    if len(memoryview(raw)) > _QUICK_BYTES:
        return None
    try:
        plots = _QUICK.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    points: list[Points] = []
    for path, plot in plots.items():
        if not path or problem_of_key(path) or is_whole(path):
            return None
        columns = sort_rows(plot.data, own_axis(path))
        if columns is None:
            return None
        points += points_of(path, columns)
    return points


def read_plots(raw: msgspec.Raw) -> dict[str, Fields]:
    """Read the object of all plots, each an object of its fields.

    Raises:
        WireError: It is none, there are too many, or one of the paths cannot be a key.
    """
    try:
        plots = _PLOTS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        plots = {path: read_fields(plot, f"plots.{path}") for path, plot in read_fields(raw, "plots").items()}
    if len(plots) > MAX_PLOTS:
        raise WireError("plots", f"{len(plots):,} plots; accepted: {MAX_PLOTS:,} at most")
    for path in plots:
        check_key(path, f"plots.{path}")
    return plots


def read_plot(path: str, fields: Fields) -> Plot:
    """Read one plot's shape; ``data`` and ``image`` exclude each other."""
    where = f"plots.{path}"
    if "data" in fields and "image" in fields:
        raise WireError(where, "has both data and image; accepted: one of them")
    props = read_object(fields["props"], f"{where}.props") if "props" in fields else {}
    if "error" in fields:
        props["error"] = msgspec.to_builtins(read_problem(fields["error"], f"{where}.error"))
    if not fields.keys() <= _KNOWN:
        props = {**read_extra(fields, _KNOWN, f"{where}."), **props}
    return Plot(path=path, rows=fields.get("data"), image=fields.get("image"), props=props)


def read_picture(plot: Plot, image: msgspec.Raw, step: int | None) -> Picture:
    """Decode an image; its step is that of its props, else the body's."""
    content = _unpack(bytes(image), f"{plot.field}.image")
    own = plot.props.get("step")
    if type(own) is int and SMALLEST_INT <= own <= LARGEST_INT:
        step = own
    return Picture(path=plot.path, step=step or 0, content=content, media_type=media_type_of(content))


def check_picture(plot: Plot, image: msgspec.Raw) -> None:
    """Decode an image and throw it away."""
    _unpack(bytes(image), f"{plot.field}.image")


def picture_props(plot: Plot) -> JsonObject:
    """What a plot with an image says beside its step."""
    return {name: value for name, value in plot.props.items() if name != "step"}


def read_points(plot: Plot, rows: msgspec.Raw) -> list[Points] | None:
    """Read rows as points, one value a column; None: the plot is a snapshot, and its rows are sound."""
    if plot.is_whole:
        check_snapshot(plot, rows)
        return None
    columns: dict[str, Column] = {}
    proof, own = Proof(), own_axis(plot.path)
    for piece in pieces_of(plot, rows, proof):
        more = read_columns(piece, f"{plot.field}.data", own, proof)
        if more is None:
            check_snapshot(plot, rows)
            return None
        if not columns:
            columns = more
            continue
        for name, column in more.items():
            _extend(columns, name, column)
    return points_of(plot.path, columns)


def points_of(path: str, columns: dict[str, Column]) -> list[Points]:
    """Name the columns of a plot."""
    return [_points_of(path, name, _last_of_equals(column)) for name, column in columns.items()]


def _points_of(path: str, name: str, column: Column) -> Points:
    timestamps = column.timestamps if any(column.timestamps) else []
    return Points(path=path, column=name, steps=column.steps, values=column.values, timestamps=timestamps)


def _last_of_equals(column: Column) -> Column:
    """Leave out rows that come again later: the store keeps the first of equal rows, and the last is the newest.

    Where a step is written as 1, 2, 1, its value is 1.
    """
    steps = column.steps
    if len(steps) < 3 or all(map(lt, steps, steps[1:])) or len(set(steps)) == len(steps):
        return column
    timestamps = column.timestamps or [0] * len(steps)
    rows = list(zip(steps, column.values, timestamps, strict=True))
    kept = list(dict.fromkeys(reversed(rows)))[::-1]
    if len(kept) == len(rows):
        return column
    return Column([row[0] for row in kept], [row[1] for row in kept], [row[2] for row in kept])


def pieces_of(plot: Plot, rows: msgspec.Raw, proof: Proof | None = None) -> Iterator[bytes]:
    """Cut a plot's rows into pieces; see `split_rows`."""
    return split_rows(memoryview(rows), f"{plot.field}.data", proof)


def check_snapshot(plot: Plot, rows: msgspec.Raw) -> None:
    """Refuse rows that are no list of objects."""
    for piece in pieces_of(plot, rows):
        check_rows(piece, f"{plot.field}.data")


def snapshot_of(plot: Plot, rows: msgspec.Raw) -> Snapshot:
    """Keep a plot whole."""
    return Snapshot(path=plot.path, rows=bytes(rows), props=plot.props)


def media_type_of(content: bytes) -> str:
    """Name an image by its first bytes; what browsers could run (SVG, HTML) has no name here."""
    for magic, media_type in _MEDIA_TYPES:
        if content.startswith(magic):
            return media_type
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"


def _extend(columns: dict[str, Column], name: str, more: Column) -> None:
    column = columns.get(name)
    if column is None:
        columns[name] = more
        return
    known = len(column.steps)
    # Columns of one piece share their lists, so each gets lists of its own.
    columns[name] = Column(
        column.steps + more.steps,
        column.values + more.values,
        (column.timestamps or [0] * known) + (more.timestamps or [0] * len(more.steps)),
    )


def _unpack(image: bytes, path: str) -> bytes:
    text: bytes | str = image[1:-1]
    if image[:1] != b'"' or b"\\" in image:  # no text at all, or one with escapes
        text = read(_TEXT, image, path)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise WireError(path, f"not base64: {error}") from None
