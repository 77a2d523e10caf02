"""Metrics: what one may be called, what it may be, and its file below ``plots/metrics``.

``log_metric`` is what a training calls most, and DVCLive opens, looks for, appends to and closes a file in each call.
Here a file stays open: a row is made and written by one system call, and is the kernel's when ``append`` returns, where
a kill of this process cannot take it back. The bytes are those that DVCLive's ``csv.DictWriter`` makes: numbers never
need its quotes, and everything else goes through ``csv`` itself.

Descriptors are the process's, so only some files keep one. Trainings log the same names each step, in which order the
least recently used file is always the one that comes next; so a file gives its descriptor up only after it has not been
used for whole steps, and files beyond the limit are opened for each row.

`dvc exp save`, `git stash` and users put other files in place of open ones, where DVCLive, which opens a path for each
row, would write to. So a file's first row of a step asks whether the open one has a name still. What has been moved has
one: that is asked at each end of a step, of one file in turn, as who moves them moves their folder.
"""

from __future__ import annotations

import csv
import errno
import io
import logging
import os
import resource
import weakref
from collections.abc import Iterable
from math import isfinite
from typing import Any, Final, TypeAlias

from livestream.content import JSON_INTEGERS
from livestream.events import Json, Scalar
from livestream.live.error import InvalidDataTypeError, InvalidNameError

logger = logging.getLogger("livestream")

MAX_OPEN: Final = 256
STALE_SYNCS: Final = 2
"""A file that was not written to for so many syncs may lose its descriptor to another."""

MetricValue: TypeAlias = Any
"""An int, float, str or bool, or a numpy integer or float."""

NUMPY_INTS: Final = frozenset(
    {"intc", "intp", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
)
NUMPY_FLOATS: Final = frozenset({"float16", "float32", "float64"})
"""What numbers of 64 bits hold, and so what JSON carries as an int everywhere."""
_NAMES_FAULT: Final = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR)
_numbers: set[type] = {float, int, bool}  # numpy's join as they are met
_descriptors: set[int] = set()  # of all runs of this process, as the system counts them


def check_value(name: str, value: object) -> MetricValue:
    """Give a metric's value as the files have it: NaN and infinities are texts.

    Raises:
        InvalidDataTypeError: It is no int, float, str, bool or numpy integer or float (by their names, as in DVCLive).
        OverflowError: An int that is beyond every float, as in DVCLive.
        UnicodeEncodeError: A text with lone surrogates.
    """
    if type(value) in _numbers:
        return value if isfinite(value) else str(value)  # type: ignore[arg-type] # a type is asked for once
    return _check_rest(name, value)


def _check_rest(name: str, value: MetricValue) -> MetricValue:
    kind = value.__class__
    if kind.__module__ == "numpy" and (kind.__name__ in NUMPY_INTS or kind.__name__ in NUMPY_FLOATS):
        _numbers.add(kind)
    elif isinstance(value, str):
        value.encode()
        return value
    elif not isinstance(value, int | float):
        raise InvalidDataTypeError(name, type(value))
    return value if isfinite(value) else str(value)


def plain(value: MetricValue) -> Scalar:
    """Give a checked value as JSON has it; an int of more than 64 bits is the float next to it."""
    kind = type(value)
    if kind is float or kind is bool:
        return value  # type: ignore[no-any-return] # it has just been asked for its type
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    number = int(value) if isinstance(value, int) else value.item()
    return number if isinstance(number, float) or number in JSON_INTEGERS else float(number)


def parts_of(name: object) -> tuple[str, ...]:
    """Split a name into the levels that it has in the summary, which are folders and a file too.

    Raises:
        InvalidNameError: No file below the folder can be called so.
    """
    if not isinstance(name, str):
        raise InvalidNameError(f"a metric's name is a str, not {type(name).__name__}")
    levels = os.path.normpath(name)
    if levels == "." or os.path.isabs(levels) or levels == ".." or levels.startswith("../"):
        raise InvalidNameError(f"{name!r} is not the name of a metric: it is no path below the run's folder")
    if "\0" in name or not _is_unicode(name):
        raise InvalidNameError(f"{name!r} is not the name of a metric: no file can be called so")
    return tuple(levels.split("/"))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _File:
    __slots__ = ("column", "descriptor", "identity", "is_usual", "path", "used")

    def __init__(self, folder: str, name: str) -> None:
        self.path = f"{os.path.join(folder, *parts_of(name))}.tsv"
        self.column = os.path.basename(name)
        self.is_usual = self.column not in ("step", "timestamp")  # these take the place of DVCLive's own columns
        self.descriptor: int | None = None
        self.identity: tuple[int, int] | None = None  # where it was opened last: device and inode
        self.used = 0

    def fields(self, step: Json, value: MetricValue, timestamp_ms: int | None) -> dict[str, Json]:
        """Give a row by column, as DVCLive puts it together."""
        fields: dict[str, Json] = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
        fields["step"] = step
        fields[self.column] = value
        return fields


class MetricFiles:
    """The files below ``plots/metrics``. Not safe from several threads at once: ``Live`` holds its lock.

    A forked child goes on with the same descriptors; rows are appended whole, whoever writes them.

    Attributes:
        failed: Rows that the disk did not take.
    """

    def __init__(self, folder: str, max_open: int | None = None) -> None:
        """Know the folder; it is made with the first row.

        Args:
            folder: ``{dir}/plots/metrics``.
            max_open: Descriptors that the runs of this process keep at most, this one's included.
        """
        self.failed = 0
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._open: set[_File] = set()
        self._max_open = _most_descriptors() if max_open is None else max_open
        self._syncs = 0
        self._exists = False
        weakref.finalize(self, _close_all, self._open).atexit = False  # a run that nobody ended, and nobody holds

    @property
    def exists(self) -> bool:
        """Whether the folder is there; ``verify`` has seen that it is, where it saw one of its files."""
        return self._exists or os.path.isdir(self._folder)

    def append(self, name: str, step: Json, value: MetricValue, timestamp_ms: int | None = None) -> None:
        """Write a row; it is in the file when this returns, unless the disk refuses it, which is said once and counted.

        Args:
            name: The metric's.
            step: The training's.
            value: What ``check_value`` gave.
            timestamp_ms: Milliseconds since the epoch, for the first column; DVCLive's files have it in all rows or
                none, and nothing here minds.

        Raises:
            InvalidNameError: No file can be called so.
        """
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _File(self._folder, name)
        if type(value) in _numbers and type(step) is int and file.is_usual:
            start = "" if timestamp_ms is None else f"{timestamp_ms}\t"
            row = f"{start}{step}\t{value!s}{os.linesep}".encode()
        else:
            row = _line(file.fields(step, value, timestamp_ms).values())
        if file.used < self._syncs:
            file.used = self._syncs
            if file.descriptor is not None and not os.fstat(file.descriptor).st_nlink:
                _close(file, self._open)
        try:
            if file.descriptor is None:
                self._append_closed(file, row, file.fields(step, value, timestamp_ms))
            else:
                _write(file.descriptor, row)
        except OSError as error:
            if error.errno in _NAMES_FAULT and file.identity is None:
                raise InvalidNameError(f"{name!r} is not the name of a metric: {error.strerror}") from error
            self._note(error, file)

    def verify(self) -> None:
        """End a step: the next row of each file looks whether that was removed, and begins a new one then.

        Files that are used no more make room for others. Where the one whose turn it is was moved all are opened anew.
        """
        self._syncs += 1
        if len(_descriptors) >= self._max_open:
            for file in [file for file in self._open if file.used < self._syncs - STALE_SYNCS]:
                _close(file, self._open)
        files = list(self._open)
        self._exists = bool(files) and _is_at(files[self._syncs % len(files)])
        if not self._exists:
            self.close()

    def close(self) -> None:
        """Give the descriptors back; a later row opens its file again."""
        _close_all(self._open)

    def _append_closed(self, file: _File, row: bytes, columns: Iterable[str]) -> None:
        descriptor, status = self._open_or_begin(file.path)
        try:
            # One that a kill has left empty between these two calls gets its header as well.
            _write(descriptor, row if status.st_size else _line(columns) + row)
        except OSError:
            os.close(descriptor)
            raise
        file.identity = (status.st_dev, status.st_ino)
        if len(_descriptors) < self._max_open:
            file.descriptor = descriptor
            self._open.add(file)
            _descriptors.add(descriptor)
        else:
            os.close(descriptor)

    def _open_or_begin(self, path: str) -> tuple[int, os.stat_result]:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._open:
                raise
            self.close()  # the training needs them more
            self._max_open //= 2
            descriptor = os.open(path, flags, 0o666)
        return descriptor, os.fstat(descriptor)

    def _note(self, error: OSError, file: _File) -> None:
        self.failed += 1
        if self.failed == 1:
            logger.error("livestream.live_file_not_written", extra={"file": file.path}, exc_info=error)


def _most_descriptors() -> int:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_OPEN if limit == resource.RLIM_INFINITY else min(MAX_OPEN, limit // 4)


def _close(file: _File, open_files: set[_File]) -> None:
    descriptor, file.descriptor = file.descriptor, None
    open_files.discard(file)
    if descriptor is not None:
        _descriptors.discard(descriptor)  # first: once it is closed another thread may be given it
        os.close(descriptor)


def _close_all(open_files: set[_File]) -> None:
    for file in list(open_files):
        _close(file, open_files)


def _is_at(file: _File) -> bool:
    try:
        status = os.stat(file.path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == file.identity


def _line(fields: Iterable[Json]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="\t", lineterminator=os.linesep).writerow(fields)
    return buffer.getvalue().encode()


def _write(descriptor: int, row: bytes) -> None:
    """Append all of a row or, where the disk has no room for it, nothing."""
    written = os.write(descriptor, row)
    while written < len(row):
        try:
            written += os.write(descriptor, row[written:])
        except OSError:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise
