"""How a range of steps is read from as few rows as possible.

Roll-ups hold buckets of 2^level steps. A range is cut into pieces that follow each other without a gap: whole buckets
of the coarsest level in the middle, whole buckets of the next level on both sides of it, and so on down to the rows
themselves at the edges. So a million steps are some sixty buckets, at most some forty of the levels below, and at most
126 rows. The head of a series is such an edge: its last buckets are not closed, and so not written yet.

What charts draw are buckets of a power of two, aligned to step 0: a chart of a growing series keeps its buckets as
they are until their width doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

LEVELS: Final = (14, 10, 8, 6)
"""Of roll-ups, coarsest first."""
ROWS: Final = 0
"""The level of the rows themselves."""
FIRST_STEP: Final = -(2**63)
LAST_STEP: Final = 2**63 - 1
_WIDEST: Final = 63


class Covered(msgspec.Struct, frozen=True, gc=False):
    """Up to where a level of a series is written: every step below ``end`` is in one of its buckets."""

    level: int
    end: int


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Buckets ``first`` to ``last`` of a level, both included; of `ROWS`: steps."""

    level: int
    first: int
    last: int


def cut(first_step: int, last_step: int, covered: Sequence[Covered]) -> list[Piece]:
    """Return the pieces of a range, in order; ``covered`` is coarsest first, and may be empty."""
    if first_step > last_step:
        return []
    if not covered:
        return [Piece(ROWS, first_step, last_step)]
    level, finer = covered[0].level, covered[1:]
    first = -(-first_step >> level)
    end = min(last_step + 1, covered[0].end) >> level
    if first >= end:
        return cut(first_step, last_step, finer)
    return [
        *cut(first_step, (first << level) - 1, finer),
        Piece(level, first, end - 1),
        *cut(end << level, last_step, finer),
    ]


def smallest_exponent(
    first_step: int, last_step: int, total: int, points: int, has_at_most: Callable[[int], bool]
) -> int:
    """Return the smallest exponent from 1 on at which the range has at most ``points`` buckets.

    Args:
        first_step: The first step that is there, as ``last_step`` is the last.
        total: How many steps are there.
        points: At least 2: steps on both sides of 0 share no bucket.
        has_at_most: Whether there are at most ``points`` buckets that hold a step, at this exponent. It is asked only
            where neither the span (no bucket more than fit in it) nor the total (no bucket holds more steps than its
            width) tells: never for a series without gaps.
    """
    low = 1
    while low < _WIDEST and total > points << low:
        low += 1
    high = low
    while high < _WIDEST and (last_step >> high) - (first_step >> high) >= points:
        high += 1
    while low < high:
        middle = (low + high) // 2
        if has_at_most(middle):
            high = middle
        else:
            low = middle + 1
    return low
