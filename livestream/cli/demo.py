"""``livestream demo``: an outage in the middle of a real training, and a ledger that shows what became of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import click
import msgspec

from livestream.cli.demo_stage import Stage
from livestream.cli.demo_view import Display, Lines, Moment
from livestream.cli.exits import OK, TROUBLE, CommandError
from livestream.cli.output import counted, human_s
from livestream.cli.survey import ExperimentFacts, SpoolFacts, survey
from livestream.demo.iris import CREDIT
from livestream.demo.training import Emitted
from livestream.spool.rows import Books
from livestream.testing import ExperimentLedger, Ledger

NAME: Final = "iris"
TICK_S: Final = 0.1
LIVE_BACKLOG: Final = 5
"""Events that are on their way at any moment of an undisturbed delivery."""

PATIENCE_S: Final = 60.0
"""The whole demo takes 15 s; a machine that needs four times that has another trouble."""

_HELP = f"""See an outage that loses nothing, on your own machine.

It starts a small Studio on 127.0.0.1 and a training (gradient descent on Fisher's irises, in plain Python) in a
process of its own, breaks the network in the middle, mends it, and compares what the training emitted with what
arrived. It takes about 15 s, uses nothing of yours, and leaves nothing behind.

\b
Examples:
    livestream demo
    livestream demo --once        short, in plain lines, for scripts

\b
Exit code 0 only if everything arrived, once. Data: {CREDIT}.
"""

View: TypeAlias = Lines | Display
_Condition: TypeAlias = Callable[[SpoolFacts], bool]


class Script(msgspec.Struct, frozen=True):
    """How long the play is: epochs, the least time of one, when the network breaks (in epochs), and for how long."""

    epochs: int
    epoch_s: float
    break_at: int
    outage_s: float


LONG: Final = Script(540, 0.025, 120, 2.5)
SHORT: Final = Script(120, 0.02, 40, 1.0)


@click.command(help=_HELP)
@click.option("--once", is_flag=True, help="A short pass in plain lines.")
def demo(*, once: bool) -> None:
    """See an outage that loses nothing, on your own machine."""
    script = SHORT if once else LONG
    view = Display() if sys.stdout.isatty() and not once else Lines()
    try:
        with Stage(script.epochs, script.epoch_s) as stage:
            play = _Play(stage, script, view)
            play.run()
            emitted = stage.what_was_emitted()
            books = survey(stage.spool).books
            view.close()
            good = print_ledger(emitted, books, stage.studio.ledger)
    finally:
        view.close()
    raise SystemExit(OK if good else TROUBLE)


class _Play:
    """The acts, and what is seen meanwhile."""

    def __init__(self, stage: Stage, script: Script, view: View) -> None:
        self._stage = stage
        self._script = script
        self._view = view
        self._began = time.monotonic()
        self._phase = "training; every event is delivered as it comes"

    def run(self) -> None:
        """Play from the beginning to the delivery of the last event.

        Raises:
            CommandError: Something did not come about in time.
        """
        stage, script = self._stage, self._script
        self._say(f"a Studio listens on {stage.studio.url}, a training runs in process {stage.training_pid}")
        self._until(lambda facts: facts.books.accepted > script.break_at and _delivered_data(stage) > 0)
        stage.studio.stop()
        self._phase = "the network is broken; training goes on, events wait on disk"
        self._say("the network breaks: the Studio refuses connections")
        mend_at = time.monotonic() + script.outage_s
        facts = self._until(lambda _: time.monotonic() >= mend_at)
        stage.studio.start()
        self._phase = "the network is back; the backlog drains while training goes on"
        self._say(f"the network is back; {counted(facts.books.queued, 'event')} waited")
        back_at = time.monotonic()
        facts = self._until(lambda facts: facts.books.queued <= LIVE_BACKLOG or stage.training_ended)
        if facts.books.queued <= LIVE_BACKLOG:
            self._say(f"the backlog is drained, {human_s(time.monotonic() - back_at)} later")
            self._phase = "training; every event is delivered as it comes"
        self._until(lambda _: stage.training_ended)
        self._phase = "the training has ended; the daemon delivers the rest"
        self._say("the training has ended")
        self._until(lambda facts: not facts.books.queued and _status(stage) == "done")
        self._say("the Studio has it all")

    def _until(self, reached: _Condition) -> SpoolFacts:
        while True:
            facts = survey(self._stage.spool)
            self._view.show(self._moment(facts))
            if reached(facts):
                return facts
            if time.monotonic() - self._began > PATIENCE_S:
                raise CommandError(f"the demo did not come to its end within {PATIENCE_S:.0f} s ({self._phase})")
            if self._stage.training_ended:
                self._stage.what_was_emitted()  # raises where it failed
            time.sleep(TICK_S)

    def _say(self, text: str) -> None:
        self._view.say(time.monotonic() - self._began, text)

    def _moment(self, facts: SpoolFacts) -> Moment:
        studio = self._stage.studio
        one = next(iter(facts.experiments), None)
        there = _there(studio.ledger)
        return Moment(
            elapsed_s=time.monotonic() - self._began,
            phase=self._phase,
            emitted=facts.books.accepted,
            delivered=facts.books.delivered,
            queued=facts.books.queued,
            queued_bytes=one.backlog_bytes if one else 0,
            oldest_s=one.behind_s if one else None,
            requests=sum(entry.status == 200 for entry in studio.ledger.requests),
            expected=self._script.epochs + 2,
            studio_up=studio.running,
            loss=_newest(there, "train/loss"),
            accuracy=_newest(there, "train/accuracy"),
            note=_note(one) if one is not None else "",
        )


def _note(one: ExperimentFacts) -> str:
    left_s = (one.retrying_until or 0.0) - time.time()
    return f"the daemon tries again in {human_s(left_s)}" if left_s > 0 else ""


def _there(ledger: Ledger) -> ExperimentLedger | None:
    try:
        return ledger.experiment(NAME)
    except LookupError:
        return None


def _status(stage: Stage) -> str:
    there = _there(stage.studio.ledger)
    return there.status if there is not None else ""


def _delivered_data(stage: Stage) -> int:
    there = _there(stage.studio.ledger)
    return there.rows if there is not None else 0


def _newest(there: ExperimentLedger | None, name: str) -> float | None:
    try:
        values = there.values(name) if there is not None else []
    except LookupError:
        return None
    return float(values[-1][1]) if values else None


def print_ledger(emitted: Emitted, books: Books, ledger: Ledger) -> bool:
    """Print what was emitted beside what arrived; tell whether it is the same, once."""
    there = _there(ledger)
    arrived = [(step, float(value)) for step, value in there.values("train/loss")] if there is not None else []
    pictures = sum(len(records) for records in there.images.values()) if there is not None else 0
    wanted = set(emitted.losses)
    lost = len(wanted - set(arrived)) + max(emitted.pictures - pictures, 0)
    duplicates = ledger.duplicates + max(pictures - emitted.pictures, 0)
    in_order = arrived == sorted(arrived, key=lambda point: point[0])
    emitted_events = emitted.accepted + 2
    rows = (
        ("emitted", f"{emitted_events:,}", f"start, {emitted.accepted:,} epochs, done; refused {emitted.refused:,}"),
        ("delivered", f"{books.delivered:,}", f"dead letters {books.dead:,}, still queued {books.queued:,}"),
        ("points", f"{len(arrived):,}", f"of train/loss at the Studio, {'in order' if in_order else 'OUT OF ORDER'}"),
        ("images", f"{pictures:,}", f"of {emitted.pictures:,}"),
        ("requests", f"{sum(entry.status == 200 for entry in ledger.requests):,}", "that the Studio took"),
        ("duplicates", f"{duplicates:,}", ""),
        ("lost", f"{lost:,}", ""),
    )
    click.echo("\nledger")
    for name, count, note in rows:
        click.echo(f"  {name:<11}{count:>7}  {note}".rstrip())
    for violation in ledger.violations[:5]:
        click.echo(f"  the Studio complained: {violation}")
    same = emitted_events == books.delivered and not emitted.refused and books.balanced
    good = same and in_order and not (duplicates or lost or ledger.violations or books.queued or books.dead)
    click.echo(
        "\nemitted = delivered, duplicates 0, lost 0" if good else "\nSOMETHING IS WRONG: please report this ledger"
    )
    return good
