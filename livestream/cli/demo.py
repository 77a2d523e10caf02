"""``livestream demo``: an outage in the middle of a real training, and a ledger that shows what became of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import click
import msgspec

from livestream.cli.demo_ledger import print_ledger, read_back
from livestream.cli.demo_stage import Stage
from livestream.cli.demo_studio import newest
from livestream.cli.demo_view import Display, Lines, Moment
from livestream.cli.exits import OK, TROUBLE, CommandError
from livestream.cli.output import counted, human_s
from livestream.cli.survey import ExperimentFacts, SpoolFacts, survey
from livestream.demo.iris import CREDIT
from livestream.studio.status import ENDED

NAME: Final = "iris"
TICK_S: Final = 0.1
LIVE_BACKLOG: Final = 5
"""Events that are on their way at any moment of an undisturbed delivery."""

PATIENCE_S: Final = 60.0
"""The whole demo takes 15 s; a machine that needs four times that has another trouble."""

_HELP = f"""See an outage that loses nothing, on your own machine.

It starts `livestream studio` on 127.0.0.1 and a training (gradient descent on Fisher's irises, in plain Python),
breaks the network between them in the middle, mends it, and compares what the training emitted with what the Studio
has. It takes about 15 s, uses nothing of yours, and leaves nothing behind.

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
    is_watched = sys.stdout.isatty() and not once
    view = Display() if is_watched else Lines()
    try:
        with Stage(script.epochs, script.epoch_s) as stage:
            _Play(stage, script, view).run(invites=is_watched)
            emitted = stage.what_was_emitted()
            books = survey(stage.spool).books
            view.close()
            good = print_ledger(emitted, books, read_back(stage.studio, NAME))
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

    def run(self, *, invites: bool) -> None:
        """Play from the beginning to the delivery of the last event; ``invites`` a person to look at the Studio.

        Raises:
            CommandError: Something did not come about in time.
        """
        stage, script = self._stage, self._script
        self._say(f"a Studio listens on {stage.studio.url}, a training runs in process {stage.training_pid}")
        if invites:
            self._say(f"look at it while it lasts: {stage.studio.link}")
        self._until(lambda facts: facts.books.accepted > script.break_at and _has_data(stage))
        stage.line.break_()
        self._phase = "the network is broken; training goes on, events wait on disk"
        self._say("the network breaks: connections are reset, new ones refused")
        mend_at = time.monotonic() + script.outage_s
        facts = self._until(lambda _: time.monotonic() >= mend_at)
        stage.line.mend()
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
        self._until(lambda facts: not facts.books.queued and _is_over(stage))
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
        there = studio.experiment(NAME)
        metrics = there.metrics if there is not None else {}
        return Moment(
            elapsed_s=time.monotonic() - self._began,
            phase=self._phase,
            emitted=facts.books.accepted,
            delivered=facts.books.delivered,
            queued=facts.books.queued,
            queued_bytes=one.backlog_bytes if one else 0,
            oldest_s=one.behind_s if one else None,
            requests=studio.requests().taken,
            expected=self._script.epochs + 2,
            passes=not self._stage.line.broken,
            status=there.status.kind if there is not None else "",
            loss=newest(metrics, "train", "loss"),
            accuracy=newest(metrics, "train", "accuracy"),
            note=_note(one) if one is not None else "",
        )


def _note(one: ExperimentFacts) -> str:
    left_s = (one.retrying_until or 0.0) - time.time()
    return f"the daemon tries again in {human_s(left_s)}" if left_s > 0 else ""


def _has_data(stage: Stage) -> bool:
    there = stage.studio.experiment(NAME)
    return there is not None and there.step is not None


def _is_over(stage: Stage) -> bool:
    there = stage.studio.experiment(NAME)
    return there is not None and there.status.kind in ENDED
