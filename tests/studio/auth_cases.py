"""A keeper with a clock that tests turn."""

from __future__ import annotations

from pathlib import Path

from livestream.studio.auth.keeper import Keeper

START_US = 1_800_000_000_000_000
MINUTE_US = 60 * 1_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


class Clock:
    """Microseconds since the epoch, as far as a test goes on."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us

    def go_on(self, us: int) -> None:
        self.now_us += us


def keeper_in(folder: Path, clock: Clock) -> Keeper:
    folder.mkdir(exist_ok=True)
    return Keeper(folder, clock)
