"""How ``livestream demo`` is shown: redrawn in place on a terminal, a line for each turn of events elsewhere."""

from __future__ import annotations

import time
from typing import Final

import click
import msgspec
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from livestream.cli.output import counted, human_bytes, human_s
from livestream.cli.tables import console

_SPARKS: Final = " ▁▂▃▄▅▆▇█"
_HISTORY: Final = 60


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen at one moment.

    Attributes:
        passes: Whether the network between the daemon and the Studio is whole.
        status: What the Studio calls the run; "" while it knows nothing of it.
        loss: The newest train/loss that the Studio has.
        oldest_s: Age of the oldest event that waits.
    """

    elapsed_s: float
    phase: str
    emitted: int
    delivered: int
    queued: int
    queued_bytes: int
    oldest_s: float | None
    requests: int
    expected: int
    passes: bool
    status: str = ""
    loss: float | None = None
    accuracy: float | None = None
    note: str = ""


class Lines:
    """A line for each turn of events, and one a second in between."""

    def __init__(self) -> None:
        self._next = 0.0

    def say(self, elapsed_s: float, text: str) -> None:
        """Tell a turn of events."""
        click.echo(f"{elapsed_s:5.1f} s  {text}")

    def show(self, moment: Moment) -> None:
        """Tell where it stands, once a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 1.0
            loss = "" if moment.loss is None else f", loss there {moment.loss:.3f}"
            note = f"; {moment.note}" if moment.note else ""
            self.say(
                moment.elapsed_s,
                f"emitted {moment.emitted:4}  delivered {moment.delivered:4}  waiting {moment.queued:3}"
                f"  network {'up' if moment.passes else 'DOWN'}{loss}{note}",
            )

    def close(self) -> None:
        """Nothing is open."""


class Display:
    """A display that is redrawn in place; what was said stays above it."""

    def __init__(self) -> None:
        self._backlog: list[int] = []
        self._console = console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def say(self, elapsed_s: float, text: str) -> None:
        """Tell a turn of events."""
        self._console.print(Text(f"{elapsed_s:5.1f} s  {text}"), soft_wrap=True)  # a link must stay in one piece

    def show(self, moment: Moment) -> None:
        """Redraw."""
        self._backlog = [*self._backlog[-_HISTORY:], moment.queued]
        self._live.update(self._draw(moment), refresh=True)

    def close(self) -> None:
        """Take the display away."""
        self._live.stop()

    def _draw(self, moment: Moment) -> Group:
        rows = Table.grid(padding=(0, 2))
        waiting = f"{counted(moment.queued, 'event')}, {human_bytes(moment.queued_bytes)}"
        if moment.oldest_s is not None:
            waiting += f", the oldest for {human_s(moment.oldest_s)}"
        network = Text("up", style="green") if moment.passes else Text("DOWN: connections refused", style="bold red")
        rows.add_row("training", ProgressBar(moment.expected, moment.emitted, width=40), f"{moment.emitted} emitted")
        rows.add_row("spool", Text(_sparkline(self._backlog), style="yellow"), waiting)
        rows.add_row("studio", ProgressBar(moment.expected, moment.delivered, width=40), self._at_studio(moment))
        note = moment.note or (f"the Studio calls the run {moment.status}" if moment.passes and moment.status else "")
        rows.add_row("network", network, Text(note, style="dim", overflow="ellipsis", no_wrap=True))
        return Group(Text(f"\n{moment.elapsed_s:5.1f} s  {moment.phase}", style="bold"), rows)

    def _at_studio(self, moment: Moment) -> str:
        text = f"{moment.delivered} delivered in {counted(moment.requests, 'request')}"
        if moment.loss is not None and moment.accuracy is not None:
            text += f"; loss {moment.loss:.3f}, accuracy {moment.accuracy:.3f}"
        return text


def _sparkline(backlog: list[int]) -> str:
    highest = max(*backlog, 10)
    steps = len(_SPARKS) - 1
    return "".join(_SPARKS[-(-count * steps // highest)] for count in backlog[-40:]).rjust(40)
