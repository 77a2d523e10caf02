"""Shows a delivery while it runs: a bar where a terminal can redraw it, plain lines where not."""

from __future__ import annotations

import time
from collections import deque
from typing import Final, Protocol

import msgspec
from rich.progress import BarColumn, Progress, TextColumn

from livestream.cli.output import counted, human_bytes, human_s, is_drawn, tell
from livestream.cli.tables import console

RATE_OVER_S: Final = 5.0
"""The rate is that of the last seconds: an outage must not spoil the estimate for what follows it."""

PLAIN_EVERY_S: Final = 5.0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Where a delivery stands.

    Attributes:
        done: Events dealt with since it began.
        left: Events that wait.
        bytes_sent: ``None`` where somebody else sends.
        note: Why it waits, if it does.
    """

    done: int
    left: int
    bytes_sent: int | None = None
    note: str = ""

    @property
    def total(self) -> int:
        """All that there is to do."""
        return self.done + self.left


class View(Protocol):
    """Something that shows a delivery."""

    def show(self, seen: Seen) -> None:
        """Show where it stands now."""

    def close(self) -> None:
        """Leave the terminal as it should be."""


class Meter:
    """Tells how fast events go, from the last seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def rate(self, now: float, done: int) -> float:
        """Take a point in; give events a second."""
        self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[0][0] > RATE_OVER_S:
            self._points.popleft()
        began, before = self._points[0]
        return (done - before) / (now - began) if now > began else 0.0


def describe(seen: Seen, rate: float) -> str:
    """Tell where it stands in one line."""
    parts = [f"{seen.done:,}/{counted(seen.total, 'event')}"]
    if seen.bytes_sent is not None:
        parts.append(human_bytes(seen.bytes_sent))
    if rate > 0:
        parts.append(f"{rate:,.0f}/s")
        if seen.left and not seen.note:
            parts.append(f"{human_s(seen.left / rate)} to go")
    if seen.note:
        parts.append(f"waiting: {seen.note}")
    return "  ".join(parts)


class Bar:
    """A bar that is redrawn in place."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._progress = Progress(
            BarColumn(bar_width=30),
            TextColumn("{task.description}", markup=False),
            console=console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("looking", total=None)
        self._progress.start()

    def show(self, seen: Seen) -> None:
        """Redraw."""
        text = describe(seen, self._meter.rate(time.monotonic(), seen.done))
        self._progress.update(self._task, description=text, completed=seen.done, total=seen.total)
        self._progress.refresh()

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


class Lines:
    """A line now and then, and whenever the reason for waiting changes."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._next = 0.0
        self._note = ""

    def show(self, seen: Seen) -> None:
        """Say where it stands if that is news."""
        now = time.monotonic()
        rate = self._meter.rate(now, seen.done)
        if now >= self._next or seen.note != self._note:
            self._next, self._note = now + PLAIN_EVERY_S, seen.note
            tell(describe(seen, rate))

    def close(self) -> None:
        """Nothing is open."""


class Nothing:
    """Shows nothing: the result is for a script."""

    def show(self, seen: Seen) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing is open."""


def view(*, plain: bool, quiet: bool) -> View:
    """Choose how to show a delivery."""
    if quiet:
        return Nothing()
    return Bar() if is_drawn() and not plain else Lines()
