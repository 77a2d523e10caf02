"""Rates: how often somebody may, kept in bounded memory. Pure: the clock is passed in, in seconds of any origin.

A bucket holds up to ``burst`` drops and gains ``rate_s`` each second; what one does takes a drop. A bucket that has
filled up again says no more than none, so the ones longest unused are forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

MAX_BUCKETS: Final = 10_000


class Buckets:
    """One bucket for each key. ``rate_s``: drops a second."""

    def __init__(self, rate_s: float, burst: float, max_buckets: int = MAX_BUCKETS) -> None:
        self._rate_s = rate_s
        self._burst = burst
        self._max_buckets = max_buckets
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, now_s: float) -> float | None:
        """Take a drop: None if there was one, else the seconds until there is."""
        level = self._level(key, now_s)
        wait_s = self._wait_s(level)
        self._keep(key, level if wait_s else level - 1.0, now_s)
        return wait_s or None

    def wait_s(self, key: Hashable, now_s: float) -> float | None:
        """Give the seconds until there is a drop, and take none; None if there is one."""
        return self._wait_s(self._level(key, now_s)) or None

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, key: Hashable, now_s: float) -> float:
        level, at_s = self._levels.get(key, (self._burst, now_s))
        return min(self._burst, level + max(0.0, now_s - at_s) * self._rate_s)

    def _wait_s(self, level: float) -> float:
        return 0.0 if level >= 1.0 else (1.0 - level) / self._rate_s

    def _keep(self, key: Hashable, level: float, now_s: float) -> None:
        self._levels[key] = level, now_s
        self._levels.move_to_end(key)
        if len(self._levels) > self._max_buckets:
            self._levels.popitem(last=False)
