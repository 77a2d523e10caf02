"""Writes the body of one part of an update as the stock client would, its fields in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from livestream.pipeline.encode import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from livestream.events import JsonObject
    from livestream.pipeline.update import ImageItem, Update

Kind: TypeAlias = Literal["start", "data", "done"]

FRAME_BYTES = len(b',"params":{},"metrics":{},"machine":,"errors":,,"plots":{}}')
"""Bytes of the text around the groups of a body, when all of them are there."""


class Slice(msgspec.Struct, frozen=True):
    """Rows ``start`` up to, not including, ``stop`` of a series."""

    path: str
    start: int
    stop: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one request carries of an update: names of it, no content.

    Attributes:
        index: Place among the update's parts, from 0.
        count: How many parts the update has.
        kind: The ``type`` of the body; ``data`` where plots accompany a ``start`` or ``done``.
        errors: The update's errors are in it.
        machine: The update's machine facts are in it.
        metrics: Paths.
        params: Paths.
        series: Rows; a path may have several slices, in order.
        snapshots: Paths.
        images: Paths.
    """

    index: int
    count: int
    kind: Kind
    errors: bool = False
    machine: bool = False
    metrics: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    series: tuple[Slice, ...] = ()
    snapshots: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        """The number of plots in the body."""
        return len({piece.path for piece in self.series}) + len(self.snapshots) + len(self.images)

    @property
    def pieces(self) -> int:
        """The number of rows, snapshots and images: into how many parts a lower limit could cut this one."""
        return sum(piece.stop - piece.start for piece in self.series) + len(self.snapshots) + len(self.images)


def head(update: Update, kind: Kind) -> bytes:
    """Write the body of that kind without its groups: what every such part of the update carries."""
    return to_json({"type": kind, **update.identity, **_details(update, kind)})


def _details(update: Update, kind: Kind) -> JsonObject:
    return update.details if kind == update.kind else {"step": update.step}


def image_frame(image: ImageItem) -> bytes:
    """Write an image's plot without its content."""
    return b'{"image":"","props":{"step":%d}}' % image.step


def series_frame(extras: JsonObject) -> bytes:
    """Write a series' plot without its rows."""
    return to_json({"data": [], **extras})


def render(update: Update, part: Part, images: Mapping[str, bytes]) -> bytes:
    """Write one part's body as JSON, its fields in the order of the stock client.

    Args:
        update: What the part was cut from.
        part: One of its parts.
        images: Base64 text of the part's images, by path.
    """
    pieces = [to_json({"type": part.kind, **update.identity})[:-1]]
    for group, paths, values in (("params", part.params, update.params), ("metrics", part.metrics, update.metrics)):
        if paths:
            pieces.append(b',"%b":' % group.encode())
            pieces += _object((path, (to_json(values[path]),)) for path in paths)
    if part.machine:
        pieces += (b',"machine":', to_json(update.machine))
    if part.errors:
        pieces += (b',"errors":', to_json(update.errors))
    details = _details(update, part.kind)
    if details:
        pieces += (b",", to_json(details)[1:-1])
    if part.items:
        pieces.append(b',"plots":')
        pieces += _object(_plots(update, part, images))
    pieces.append(b"}")
    return b"".join(pieces)


def _object(entries: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    # Pieces, not one text: a body of rows is then copied once, into its final bytes.
    opening = b"{"
    for key, pieces in entries:
        yield opening
        yield to_json(key)
        yield b":"
        yield from pieces
        opening = b","
    yield b"}"


def _plots(update: Update, part: Part, images: Mapping[str, bytes]) -> Iterator[tuple[str, Iterable[bytes]]]:
    slices: dict[str, list[Slice]] = {}
    for piece in part.series:
        slices.setdefault(piece.path, []).append(piece)
    for path, held in slices.items():
        series = update.series[path]
        rows = b",".join(row for piece in held for row in series.rows[piece.start : piece.stop])
        extras = to_json(series.extras)[1:-1]
        yield path, (b'{"data":[', rows, b"]", b"," if extras else b"", extras, b"}")
    for path in part.snapshots:
        yield path, (to_json(update.snapshots[path].item),)
    for path in part.images:
        props = b',"props":{"step":%d}}' % update.images[path].step
        yield path, (b'{"image":"', images[path], b'"', props)
