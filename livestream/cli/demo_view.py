"""How ``livestream demo`` is shown: redrawn in place on a terminal, a line for each turn of events elsewhere."""

from __future__ import annotations

import time
from typing import Final

import click
import msgspec
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from livestream.cli.output import counted, human_bytes, human_s
from livestream.cli.tables import console

_SPARKS: Final = " ▁▂▃▄▅▆▇█"
_HISTORY: Final = 24
_LEAST_HEIGHT: Final = 20
"""Events: fewer are no backlog worth a mountain."""
_STATUS_STYLES: Final = {
    "running": "green",
    "catching up": "yellow",
    "silent": "magenta",
    "failed": "bold red",
    "completed": "blue",
}


class RunMoment(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of one run.

    Attributes:
        status: What the Studio calls it, in words; "" while it knows nothing of it.
        loss: The newest test/loss that the Studio has.
    """

    name: str
    emitted: int = 0
    delivered: int = 0
    status: str = ""
    reason: str = ""
    loss: float | None = None
    accuracy: float | None = None


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen at one moment.

    Attributes:
        queued: Events that wait on this machine; ``queued_bytes`` likewise.
        oldest_s: Age of the oldest of them.
        passes: Whether the network between the daemon and the Studio is whole.
        note: What the daemon says of it.
    """

    elapsed_s: float
    phase: str
    runs: list[RunMoment]
    queued: int
    queued_bytes: int
    oldest_s: float | None
    passes: bool
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
            emitted = sum(run.emitted for run in moment.runs)
            delivered = sum(run.delivered for run in moment.runs)
            note = f"; {moment.note}" if moment.note else ""
            self.say(
                moment.elapsed_s,
                f"emitted {emitted:4}  delivered {delivered:4}  waiting {moment.queued:4}"
                f"  network {'up' if moment.passes else 'DOWN'}{note}",
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
        self._backlog = [*self._backlog[1 - _HISTORY :], moment.queued]
        self._live.update(self._draw(moment), refresh=True)

    def close(self) -> None:
        """Take the display away."""
        self._live.stop()

    def _draw(self, moment: Moment) -> Group:
        title = Text(f"\n{moment.elapsed_s:5.1f} s  {moment.phase}", style="bold")
        return Group(title, self._draw_way(moment), Text(), _draw_runs(moment.runs))

    def _draw_way(self, moment: Moment) -> Table:
        network = Text("up", style="green") if moment.passes else Text("DOWN: connections refused", style="bold red")
        if moment.note:
            network.append(f"; {moment.note}", style="dim")
        waiting = f"{counted(moment.queued, 'event')}, {human_bytes(moment.queued_bytes)}"
        if moment.oldest_s is not None:
            waiting += f", the oldest for {human_s(moment.oldest_s)}"
        spool = Text(_sparkline(self._backlog), style="yellow")
        spool.append(f"  {waiting}", style="default")
        way = Table.grid(padding=(0, 2))
        way.add_row("network", network)
        way.add_row("spool", spool)
        return way


def _draw_runs(runs: list[RunMoment]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("run", no_wrap=True)
    for name in ("emitted", "delivered", "loss", "accuracy"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("the Studio says")  # the one that gives way on a narrow terminal
    for run in runs:
        said = Text(run.status, style=_STATUS_STYLES.get(run.status, ""), no_wrap=True, overflow="ellipsis")
        if run.reason:
            said.append(f": {run.reason}", style="dim")
        table.add_row(run.name, str(run.emitted), str(run.delivered), _rounded(run.loss), _rounded(run.accuracy), said)
    return table


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _sparkline(backlog: list[int]) -> str:
    highest = max(*backlog, _LEAST_HEIGHT)
    steps = len(_SPARKS) - 1
    return "".join(_SPARKS[-(-count * steps // highest)] for count in backlog).rjust(_HISTORY)
