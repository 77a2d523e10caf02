"""The acts of ``livestream demo``, and what is seen meanwhile: live, an outage, the replay, live again, a SIGKILL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from livestream.cli.demo_stage import Stage
from livestream.cli.demo_studio import Seen, newest
from livestream.cli.demo_view import Display, Lines, Moment, RunMoment
from livestream.cli.exits import CommandError
from livestream.cli.output import counted, human_s
from livestream.cli.survey import ExperimentFacts, SpoolFacts, survey
from livestream.studio.status import ENDED

TICK_S: Final = 0.1
LIVE_BACKLOG: Final = 5
"""Events of one run that are on their way at any moment of an undisturbed delivery."""

PATIENCE_S: Final = 300.0
"""The whole demo takes 30 s; a machine that needs ten times that has another trouble."""

_EXPLAINED: Final = frozenset({"silent", "catching_up", "stalled", "lost", "failed", "completed_with_gaps"})
"""What the Studio's own reason is told with; a run that runs or is complete needs none."""

View: TypeAlias = Lines | Display


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How the play goes.

    Attributes:
        doomed: The run that is killed.
        break_at: The network breaks when every run has emitted so many epochs,
        outage_s: for so long at least, and until the Studio has noticed.
        kill_at: The doomed run is killed when it has emitted so many epochs.
    """

    doomed: str
    break_at: int
    outage_s: float
    kill_at: int


class _Look(msgspec.Struct, frozen=True):
    """What the spool and the Studio say at one moment, by the names of the runs."""

    spool: SpoolFacts
    local: Mapping[str, ExperimentFacts]
    there: Mapping[str, Seen]

    def emitted(self, name: str) -> int:
        """Count the epochs of a run that lives: all its events but ``start``."""
        return self.local[name].books.accepted - 1 if name in self.local else 0

    def statuses(self) -> dict[str, str]:
        """Tell what the Studio calls each run that it knows."""
        return {name: seen.status.kind for name, seen in self.there.items()}


class Play:
    """The acts, and what is seen meanwhile."""

    def __init__(self, stage: Stage, script: Script, view: View) -> None:
        self._stage = stage
        self._script = script
        self._view = view
        self._began = time.monotonic()
        self._phase = "the trainings begin"
        self._statuses: dict[str, str] = {}
        self._killed: set[str] = set()
        self._said: set[str] = set()

    def run(self, on_data: Callable[[], None]) -> None:
        """Play from the beginning to the delivery of the last event.

        Args:
            on_data: Called once, as soon as the Studio has something of every run to show.

        Raises:
            CommandError: Something did not come about, or not in time.
        """
        stage = self._stage
        self.say(f"a Studio listens on {stage.studio.url}; {len(stage.plans)} trainings, each a process of its own:")
        for plan in stage.plans.values():
            self.say(f"  {plan.name}: {plan.message}")
        self._until(lambda look: all(name in look.there and look.there[name].step is not None for name in stage.plans))
        on_data()
        self._play_outage()
        self._play_replay()
        self._play_kill()
        self._play_end()

    def say(self, text: str) -> None:
        """Tell a turn of events."""
        self._view.say(time.monotonic() - self._began, text)

    # -- the acts

    def _play_outage(self) -> None:
        stage, script = self._stage, self._script
        self._phase = "live: every event is delivered as it comes"
        self._until(lambda look: all(look.emitted(name) > script.break_at for name in stage.plans))
        self._phase = "the network is broken; training goes on, events wait on disk"
        self.say("THE NETWORK BREAKS: connections are reset, new ones refused")
        stage.line.break_()
        mend_at = time.monotonic() + script.outage_s
        self._until(
            lambda look: time.monotonic() >= mend_at and all(one == "silent" for one in look.statuses().values())
        )

    def _play_replay(self) -> None:
        """Mend the network and wait until all is live again; the Studio must have seen that it was behind."""
        stage = self._stage
        self._said.discard("catching_up")
        waited = survey(stage.spool).books.queued
        self._phase = "the network is back; the backlog is replayed while training goes on"
        self.say(f"THE NETWORK IS BACK; {counted(waited, 'event')} waited")
        stage.line.mend()
        back_at = time.monotonic()
        self._until(
            lambda look: look.spool.books.queued <= LIVE_BACKLOG * len(stage.plans) and self._is_caught_up(look)
        )
        if "catching_up" not in self._said:
            raise CommandError("the Studio never said that it was behind, though events waited for it")
        self.say(f"everything that waited is delivered, {human_s(time.monotonic() - back_at)} later")

    def _play_kill(self) -> None:
        stage, doomed = self._stage, self._script.doomed
        self._phase = "live again"
        self._until(lambda look: look.emitted(doomed) > self._script.kill_at)
        pid = stage.kill(doomed)
        self._killed.add(doomed)
        self._phase = f"{doomed} was killed; the daemon delivers its last events, and says so"
        self.say(f"SIGKILL for {doomed}, process {pid}, in the middle of its training")
        killed_at = time.monotonic()
        look = self._until(lambda look: look.statuses().get(doomed) in ENDED)
        kind = look.there[doomed].status.kind
        if kind != "failed":
            raise CommandError(f"{doomed} was killed, and the Studio calls it {kind}")
        self.say(f"the Studio knew {human_s(time.monotonic() - killed_at)} after the kill")

    def _play_end(self) -> None:
        self._phase = "the other trainings go on to their end"
        self._until(lambda _: not any(self._stage.is_training(name) for name in self._living))
        self._phase = "the trainings have ended; the daemon delivers the rest"
        self._until(lambda look: not look.spool.books.queued and ENDED.issuperset(look.statuses().values()))

    # -- what is seen

    @property
    def _living(self) -> Iterable[str]:
        return self._stage.plans.keys() - self._killed

    def _is_caught_up(self, look: _Look) -> bool:
        return not {"catching_up", "silent"} & set(look.statuses().values())

    def _until(self, reached: Callable[[_Look], bool]) -> _Look:
        while True:
            look = self._look()
            self._view.show(self._moment(look))
            if reached(look):
                return look
            if time.monotonic() - self._began > PATIENCE_S:
                raise CommandError(f"the demo did not come to its end within {PATIENCE_S:.0f} s ({self._phase})")
            for name in self._living:
                self._stage.is_training(name)  # raises where one failed
            time.sleep(TICK_S)

    def _look(self) -> _Look:
        facts = survey(self._stage.spool)
        look = _Look(facts, {one.experiment.name: one for one in facts.experiments}, self._stage.studio.experiments())
        self._tell_turns(look)
        return look

    def _tell_turns(self, look: _Look) -> None:
        """Tell which runs the Studio calls something else than at the last look."""
        statuses = look.statuses()
        turned = {name: kind for name, kind in statuses.items() if self._statuses.get(name) != kind}
        for kind in dict.fromkeys(turned.values()):
            names = [name for name in self._stage.plans if turned.get(name) == kind]
            reason = _reason(look.there[names[0]])
            self.say(f"the Studio: {', '.join(names)} {in_words(kind)}{f' ({reason})' if reason else ''}")
        self._statuses = statuses
        self._said |= set(statuses.values())

    def _moment(self, look: _Look) -> Moment:
        ages = [one.behind_s for one in look.local.values() if one.behind_s is not None]
        retry_s = max(((one.retrying_until or 0.0) - time.time() for one in look.local.values()), default=0.0)
        return Moment(
            elapsed_s=time.monotonic() - self._began,
            phase=self._phase,
            runs=[_run_moment(name, look) for name in self._stage.plans],
            queued=look.spool.books.queued,
            queued_bytes=sum(one.backlog_bytes for one in look.local.values()),
            oldest_s=max(ages, default=None),
            passes=not self._stage.line.broken,
            note=f"the daemon tries again in {human_s(retry_s)}" if retry_s >= TICK_S else "",
        )


def in_words(kind: str) -> str:
    """Give a kind of status as people read it."""
    return kind.replace("_", " ")


def _reason(seen: Seen) -> str:
    """Give the first of the Studio's reasons."""
    return seen.status.reason.partition(";")[0] if seen.status.kind in _EXPLAINED else ""


def _run_moment(name: str, look: _Look) -> RunMoment:
    local, seen = look.local.get(name), look.there.get(name)
    moment = RunMoment(
        name=name,
        emitted=local.books.accepted if local is not None else 0,
        delivered=local.books.delivered if local is not None else 0,
    )
    if seen is None:
        return moment
    return msgspec.structs.replace(
        moment,
        status=in_words(seen.status.kind),
        reason=_reason(seen),
        loss=newest(seen.metrics, "test", "loss"),
        accuracy=newest(seen.metrics, "test", "accuracy"),
    )
