"""A batch of events as it grows: rows in, records and problems out, every number answered for, within limits.

The checksum of a row covers its number, so a number is believed only together with its row: a damaged one must not move
the cursor.
"""

from __future__ import annotations

import asyncio
import errno
import re
from itertools import islice
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from livestream.errors import CorruptSpoolError, SpoolError
from livestream.events import Record, Spilled, decode
from livestream.spool.blobs import read_blob
from livestream.spool.journal import checksum
from livestream.spool.salvage import EventRow, is_intact

Reason: TypeAlias = Literal["missing", "checksum", "undecodable", "blob", "unreadable", "removed"]
"""Why there is no record: no row; its bytes changed; they are no event; its spilled content is gone or changed; the
file is damaged there; or its segment was delivered and removed under a daemon.db that is lost (count it delivered)."""

_BLOB_NAME: Final = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{8})?")
_LOST: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EIO})
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class ReadProblem(msgspec.Struct, frozen=True):
    """Events that cannot be given, from ``first`` to ``last``.

    Attributes:
        body: The bytes found in the event's place, where there are any.
        segment: Number of the segment they belong to.
    """

    first: int
    last: int
    reason: Reason
    detail: str = ""
    body: bytes | None = None
    segment: int = 0

    @property
    def count(self) -> int:
        """How many events."""
        return self.last - self.first + 1


class Batch(msgspec.Struct, frozen=True):
    """Consecutive events: each number after the cursor up to ``last`` is in ``records`` or in ``problems``.

    Attributes:
        last: The cursor to read on from; the old one where nothing is there.
        more: A limit ended it, so there is more to read at once.
    """

    records: list[Record]
    problems: list[ReadProblem]
    last: int
    more: bool


class BatchBuilder:
    """A batch that grows up to its limits.

    Attributes:
        gap: Why numbers are missing between the rows that come next.
        asked_by_number: Those rows were asked for one by one, so that even a damaged one's number is its own.
        disordered: A row came whose number cannot be believed: nothing more may be read in the segment's order.
        begins_late: The rows come from the lowest segment there is, and it is not the writer's first.
    """

    def __init__(self, folder: Path, after: int, max_bytes: int, max_events: int) -> None:
        self.records: list[Record] = []
        self.problems: list[ReadProblem] = []
        self.last = after
        self.bytes_left = max_bytes
        self.events_left = max(max_events, 1)
        self.segment = 0
        self.gap: Reason = "missing"
        self.asked_by_number = False
        self.disordered = False
        self.begins_late = False
        self._folder = folder

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self.events_left <= 0

    async def add(self, rows: list[EventRow]) -> bool:
        """Take rows in; ``False`` where a limit ended it."""
        place = 0
        while place < len(rows) and not self.is_full:
            count = self._add_plain(rows, place)
            if not count and not await self._add_special(rows[place]):
                return False
            place += count or 1
        return not self.is_full

    def _add_plain(self, rows: list[EventRow], place: int) -> int:
        """Take in rows up to the first that is not the next, intact, unspilled event within the limits: the fast path.

        Returns:
            How many were taken in.
        """
        records: list[Record] = []
        expected = self.last + 1
        bytes_left = self.bytes_left
        try:
            for seq, crc, body in islice(rows, place, place + self.events_left):
                size = len(body)
                if seq != expected or size > bytes_left or checksum(body, seq) != crc:
                    break
                event = decode(body)
                if isinstance(event, Spilled):
                    break
                records.append(Record(seq, event, size))
                bytes_left -= size
                expected += 1
        except (*_DECODE_ERRORS, TypeError):
            pass
        self.records += records
        self.last = expected - 1
        self.bytes_left = bytes_left
        self.events_left -= len(records)
        return len(records)

    def skip(self, last: int, reason: Reason) -> None:
        """Answer for all numbers up to ``last`` with one problem."""
        if last > self.last:
            known = "removed" if self.begins_late and self.last == 0 else reason
            self._problem(ReadProblem(self.last + 1, last, known, segment=self.segment))

    def _problem(self, problem: ReadProblem) -> None:
        self.problems.append(problem)
        self.last = problem.last
        self.events_left -= 1

    async def _add_special(self, row: tuple[int, int, object]) -> bool:
        """Take in a row that is not the next plain event; ``False`` where it does not fit."""
        seq, crc, body = row
        intact = is_intact(row)
        if seq <= self.last or (seq > self.last + 1 and not intact and not self.asked_by_number):
            self.disordered = True
            return False
        self.skip(seq - 1, self.gap)
        if not isinstance(body, bytes):
            return self._refuse(seq, "checksum", f"it is {type(body).__name__}", str(body).encode())
        if not intact:
            return self._refuse(seq, "checksum", f"its checksum is not {crc}", body)
        try:
            event = decode(body)
        except _DECODE_ERRORS as error:
            return self._refuse(seq, "undecodable", str(error), body)
        if isinstance(event, Spilled):
            return await self._add_spilled(seq, event, body)
        return self._fits(Record(seq, event, len(body)))

    async def _add_spilled(self, seq: int, spilled: Spilled, body: bytes) -> bool:
        if self.records and spilled.size > self.bytes_left:
            return False
        if not _BLOB_NAME.fullmatch(spilled.blob):
            return self._refuse(seq, "blob", "its name is none", body)
        try:
            content = await asyncio.to_thread(read_blob, self._folder, spilled.blob)
        except CorruptSpoolError as error:
            return self._refuse(seq, "blob", str(error), body)
        except OSError as error:
            if error.errno not in _LOST:
                raise SpoolError(f"{self._folder}: cannot read blob {spilled.blob}: {error.strerror}") from error
            return self._refuse(seq, "blob", f"{spilled.blob}: {error.strerror}", body)
        try:
            event = decode(content)
        except _DECODE_ERRORS as error:
            return self._refuse(seq, "undecodable", str(error), content)
        if isinstance(event, Spilled):
            return self._refuse(seq, "undecodable", "a spilled event leads to another", content)
        return self._fits(Record(seq, event, len(content)))

    def _fits(self, record: Record) -> bool:
        if self.records and record.size > self.bytes_left:
            return False
        self.records.append(record)
        self.last = record.seq
        self.bytes_left -= record.size
        self.events_left -= 1
        return True

    def _refuse(self, seq: int, reason: Reason, detail: str, body: bytes) -> bool:
        self._problem(ReadProblem(seq, seq, reason, detail, body, self.segment))
        return True
