"""How a Studio that speaks livestream's extension knows a repeat from news: a high-water mark a writer.

Every request says in ``Livestream-Update: writer/first/last/part/parts`` which events of which writer it carries. Let
``mark`` be the last sequence number of a writer whose update arrived whole. Then a part is

* a *repeat* when ``last <= mark``, or when its update is still open and this part of it is in;
* *news* otherwise. When the last missing part of an update arrives, ``mark`` moves to its ``last``; what lies between
  the old mark and its ``first`` is a *gap* (events that became dead letters, or were lost with a disk).

A retried dead letter (``Livestream-Repair: 1``) lies below the mark and is news all the same, once; it fills its gap.
An update that begins below the mark and ends above it was cut anew by a client that lost its books: it is taken and
counted as an *overlap*, because refusing it would lose its tail.
"""

from __future__ import annotations

import msgspec


class UpdateHeader(msgspec.Struct, frozen=True):
    """The value of ``Livestream-Update``; ``part`` counts from 1."""

    writer: str
    first: int
    last: int
    part: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> UpdateHeader:
        """Read the header's value.

        Raises:
            ValueError: It is not ``writer/first/last/part/parts`` with sensible numbers.
        """
        pieces = text.split("/")
        if len(pieces) != 5 or not pieces[0] or not all(piece.isdecimal() for piece in pieces[1:]):
            raise ValueError("expected writer/first/last/part/parts")
        header = cls(pieces[0], *(int(piece) for piece in pieces[1:]))
        if not (1 <= header.first <= header.last and 1 <= header.part <= header.parts):
            raise ValueError("expected 1 <= first <= last and 1 <= part <= parts")
        return header


class Marks:
    """The marks of all writers, and what is missing below them.

    Attributes:
        marks: Writer to its high-water mark.
        gaps: Writer to ``(first, last)`` ranges below its mark that never came.
        overlaps: Updates that began below the mark and ended above it.
    """

    def __init__(self) -> None:
        self.marks: dict[str, int] = {}
        self.gaps: dict[str, list[tuple[int, int]]] = {}
        self.overlaps = 0
        self._open: dict[tuple[str, int, int, int], set[int]] = {}
        self._repaired: set[UpdateHeader] = set()

    def is_repeat(self, header: UpdateHeader, *, repair: bool) -> bool:
        """Say whether this part was taken before."""
        if repair:
            return header in self._repaired
        if header.last <= self.marks.get(header.writer, 0):
            return True
        return header.part in self._open.get(_update(header), ())

    def take(self, header: UpdateHeader, *, repair: bool) -> None:
        """Note that this part, which is no repeat, was taken; move the mark if its update is whole."""
        if repair:
            self._repaired.add(header)
        taken = self._open.setdefault(_update(header), set())
        taken.add(header.part)
        if len(taken) < header.parts:
            return
        del self._open[_update(header)]
        if repair:
            self._fill(header)
        else:
            self._move(header)

    def _move(self, header: UpdateHeader) -> None:
        mark = self.marks.get(header.writer, 0)
        if header.first > mark + 1:
            self.gaps.setdefault(header.writer, []).append((mark + 1, header.first - 1))
        elif header.first <= mark:
            self.overlaps += 1
        self.marks[header.writer] = header.last

    def _fill(self, header: UpdateHeader) -> None:
        left = []
        for first, last in self.gaps.get(header.writer, []):
            if first < header.first:
                left.append((first, min(last, header.first - 1)))
            if last > header.last:
                left.append((max(first, header.last + 1), last))
        self.gaps[header.writer] = left


def _update(header: UpdateHeader) -> tuple[str, int, int, int]:
    return header.writer, header.first, header.last, header.parts
