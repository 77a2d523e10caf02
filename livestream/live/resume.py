"""What a run that resumes finds at the ends of the metrics' files.

Rows are written as they are logged, so a run that was killed leaves rows of a step that never ended, which will be
logged again; and its stream may have missed whole steps that the files hold. Both are the last rows of each file, and
files grow for weeks: they are read backward from the end, and no further than what is asked for.

A row ends where no quotes stand open, which is so where their number is even, read backward as well as forward, as long
as the file ends with a whole row. What comes after the last line's end was torn by a power cut or a full disk.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from livestream.events import Scalar
from livestream.live.metrics import plain

logger = logging.getLogger("livestream")

BLOCK_BYTES: Final = 65536
_HEADER_BYTES: Final = 1024
"""A column is called as its file, which has 255 bytes at most; in quotes, each may be two."""
_SUFFIX: Final = ".tsv"


class Row(msgspec.Struct, frozen=True, gc=False):
    """A value that a file holds.

    Attributes:
        name: The metric's, levels joined by ``/``.
        step: The training's.
        timestamp_ms: Milliseconds since the epoch, where the row says them.
        value: A number where it reads as one, ``True`` and ``False``, else the text.
    """

    name: str
    step: int
    timestamp_ms: int | None
    value: Scalar


def drop_unfinished(folder: str, step: int) -> int:
    """Cut the last rows of each file whose step is beyond ``step``, and rows that were not written to their end.

    A file that cannot be written is left as it is, which is logged.

    Returns:
        How many rows were cut.
    """
    cut = 0
    for path in _files(folder):
        try:
            cut += _cut(path, step)
        except OSError as error:
            logger.warning("livestream.unfinished_rows_kept", extra={"file": path, "error": str(error)})
    return cut


def rows_after(folder: str, step: int, names: Collection[str] | None = None) -> list[Row]:
    """Give the last rows of each file whose step is beyond ``step``.

    Args:
        folder: ``{dir}/plots/metrics``.
        step: The last step that is not wanted.
        names: Metrics; left out, all.

    Returns:
        Rows in the order of their steps; those of one step in the order of their names.
    """
    rows: list[Row] = []
    for path in _files(folder):
        name = os.path.relpath(path, folder)[: -len(_SUFFIX)]
        if names is not None and name not in names:
            continue
        try:
            with _opened(path, os.O_RDONLY) as descriptor:
                rows += reversed([row for _, row in _rows_backward(descriptor, name, step)])
        except OSError as error:
            logger.warning("livestream.rows_not_read", extra={"file": path, "error": str(error)})
    return sorted(rows, key=lambda row: row.step)


def _files(folder: str) -> list[str]:
    return sorted(
        os.path.join(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(_SUFFIX) and name != _SUFFIX
    )


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _cut(path: str, step: int) -> int:
    with _opened(path, os.O_RDWR) as descriptor:
        size = os.fstat(descriptor).st_size
        end = _whole_size(descriptor)
        cut = int(end < size)
        for begin, _ in _rows_backward(descriptor, "", step):
            end = begin
            cut += 1
        if end < size:
            os.ftruncate(descriptor, end)
    return cut


def _rows_backward(descriptor: int, name: str, step: int) -> Iterator[tuple[int, Row]]:
    """Give rows beyond a step, the last one first, each with the offset at which it begins."""
    header = _header(descriptor)
    for begin, line in _lines_backward(descriptor, _whole_size(descriptor)):
        row = None if begin == 0 else _row(name, header, _cells(line))
        if row is None or row.step <= step:
            return
        yield begin, row


def _header(descriptor: int) -> list[str]:
    return _cells(os.pread(descriptor, _HEADER_BYTES, 0))


def _whole_size(descriptor: int) -> int:
    """Give the size in bytes up to the last line's end."""
    size = os.fstat(descriptor).st_size
    for begin, line in _pieces_backward(descriptor, size):
        return begin + len(line) if line.endswith(b"\n") else begin
    return 0


def _lines_backward(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Give a file's lines as ``csv`` understands them, where texts in quotes may hold line ends."""
    line, is_open = b"", False
    for begin, piece in _pieces_backward(descriptor, size):
        line = piece + line
        is_open ^= piece.count(b'"') % 2 == 1
        if not is_open:
            yield begin, line
            line = b""


def _pieces_backward(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Give a file's lines with their ends, the last one first, each with the offset at which it begins."""
    unfinished = b""
    while size > 0:
        start = max(0, size - BLOCK_BYTES)
        block = os.pread(descriptor, size - start, start) + unfinished
        stop = len(block)
        while (end := block.rfind(b"\n", 0, stop - 1)) >= 0:
            yield start + end + 1, block[end + 1 : stop]
            stop = end + 1
        unfinished, size = block[:stop], start
    if unfinished:
        yield 0, unfinished


def _cells(line: bytes) -> list[str]:
    """Give the cells of the first row in ``line``."""
    return next(csv.reader(io.StringIO(line.decode(errors="replace"), newline=""), delimiter="\t"), [])


def _row(name: str, header: list[str], cells: list[str]) -> Row | None:
    """Understand a row; ``None`` where its step is not to be known.

    A row with more or fewer cells than the header was logged when ``timestamp`` was switched.
    """
    try:
        if len(cells) == 3:
            timestamp, step, value = cells
            return Row(name, int(step), int(timestamp), _value(value))
        if header == ["timestamp", "step"]:  # a metric of one of these names, which DVCLive writes into its own column
            return None
        step, value = cells
        return Row(name, int(step), None, _value(value))
    except ValueError:
        return None


def _value(text: str) -> Scalar:
    if text in ("True", "False"):
        return text == "True"
    if "_" in text or text != text.strip():
        return text
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return plain(number) if math.isfinite(number) else text
    return text
