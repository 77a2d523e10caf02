"""Plots of a body: each becomes points, a picture, or a snapshot (DESIGN section 5; `livestream.studio.update`)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final

import msgspec

from livestream.events import JsonObject
from livestream.studio.update import Picture, Points, Snapshot
from livestream.studio.wire.fields import (
    LARGEST_INT,
    SMALLEST_INT,
    Fields,
    WireError,
    check_key,
    read,
    read_extra,
    read_fields,
    read_object,
    read_problem,
)
from livestream.studio.wire.rows import Column, check_rows, read_columns, split_rows

MAX_PLOTS: Final = 100_000
"""Of one body; our own daemon is told a lower limit, stock clients stop at 200."""

_KNOWN: Final = frozenset({"data", "image", "props", "error"})
_WHOLE: Final = ("/plots/custom/", "/plots/sklearn/")
_TEXT: Final = msgspec.json.Decoder(str)
_MEDIA_TYPES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


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
        return any(folder in f"/{self.path}" for folder in _WHOLE)


def read_plots(raw: msgspec.Raw) -> Fields:
    """Read the object of all plots.

    Raises:
        WireError: It is none, there are too many, or one of the paths cannot be a key.
    """
    plots = read_fields(raw, "plots")
    if len(plots) > MAX_PLOTS:
        raise WireError("plots", f"{len(plots):,} plots; accepted: {MAX_PLOTS:,} at most")
    for path in plots:
        check_key(path, f"plots.{path}")
    return plots


def read_plot(path: str, raw: msgspec.Raw) -> Plot:
    """Read one plot's shape; ``data`` and ``image`` exclude each other."""
    where = f"plots.{path}"
    fields = read_fields(raw, where)
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
    for piece in split_rows(memoryview(rows), f"{plot.field}.data"):
        more = read_columns(piece, f"{plot.field}.data")
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
    return [
        Points(
            path=path,
            column=name,
            steps=column.steps,
            values=column.values,
            timestamps=column.timestamps if any(column.timestamps) else [],
        )
        for name, column in columns.items()
    ]


def pieces_of(plot: Plot, rows: msgspec.Raw) -> Iterator[bytes]:
    """Cut a plot's rows into pieces; see `split_rows`."""
    return split_rows(memoryview(rows), f"{plot.field}.data")


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
