"""How a run is doing: a judgement that is made anew each time, from facts and the clock, and stored nowhere.

    done came       with errors       failed, or interrupted where all of them are a signal or Ctrl-C
                    without           completed; with gaps where something never came; catching up while rows still wait
    none came       quiet too long    lost, or silent                 ("quiet": nothing heard, neither update nor beat)
                    rows wait         catching up
                    no step too long  stalled
                    else              running

*Quiet* is counted from the source that was heard last. A source that beats is silent within a minute; one that never
beats (stock clients) may say nothing between two epochs, so it is judged by its own rhythm and by wider bounds. Where
any writer beats, all keyed writers are held to its bounds: they come from one kind of daemon.

Late data changes the facts and so the judgement: a lost run that speaks again runs again.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final, Literal, TypeAlias

import msgspec

from livestream.events import Problem
from livestream.studio.experiment import Facts, WriterFacts
from livestream.studio.settings import StatusBounds

StatusKind: TypeAlias = Literal[
    "running",
    "catching_up",
    "stalled",
    "silent",
    "lost",
    "failed",
    "interrupted",
    "completed",
    "completed_with_gaps",
]
KINDS: Final[tuple[StatusKind, ...]] = (
    "running",
    "catching_up",
    "stalled",
    "silent",
    "lost",
    "failed",
    "interrupted",
    "completed",
    "completed_with_gaps",
)
ENDED: Final[frozenset[StatusKind]] = frozenset({"failed", "interrupted", "completed", "completed_with_gaps"})
LIVE: Final[frozenset[StatusKind]] = frozenset({"running", "catching_up", "stalled", "silent"})
"""What "only live ones" shows: a lost run is no longer expected to speak, though it may."""

INTERRUPTIONS: Final = frozenset({"livestream.Terminated", "KeyboardInterrupt", "click.exceptions.Abort"})
"""Classes in ``errors`` that say that somebody ended the run, not that it broke."""

MAX_REASON_CHARACTERS: Final = 300
SHOWN_GAPS: Final = 50

_US: Final = 1_000_000
_SAME_MOMENT_US: Final = _US
"""Two clocks readings of one delivery differ by less."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement, why it was made, and since when it holds as far as the facts tell."""

    kind: StatusKind
    reason: str
    since_us: int


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Events ``first`` to ``last`` of a writer never came, though later ones did."""

    writer: str
    first: int
    last: int


class DeliveryTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about what has not arrived.

    Attributes:
        behind_s: Age of the oldest event that waits on a node, as last told; 0 where nothing waits.
        backlog_rows: What waits on the nodes, as last told; as ``backlog_bytes``.
        missing_events: In all gaps together.
        gaps: The first of them, at most ``SHOWN_GAPS``.
        losses: Events refused or trimmed on the nodes, by reason.
        writers: Processes that wrote with a key; stock clients are none.
        beating: Those of them that ever beat.
        heard_us: When anything last came, beats included.
    """

    behind_s: float
    backlog_rows: int
    backlog_bytes: int
    missing_events: int
    gaps: list[Gap]
    losses: dict[str, int]
    writers: int
    beating: int
    heard_us: int

    @property
    def has_gaps(self) -> bool:
        """Whether something is known that will not come by itself."""
        return self.missing_events > 0 or any(self.losses.values())


class _Source(msgspec.Struct, frozen=True):
    """Somebody who spoke: when last, and after how much quiet it is silent or lost."""

    heard_us: int
    silent_us: int
    lost_us: int
    beats: bool


def derive(facts: Facts, now_us: int, bounds: StatusBounds, *, applying: bool = False) -> Status:
    """Judge a run; ``applying``: a large body of it is in and not yet shown."""
    if facts.done_us is not None:
        return _ended(facts, facts.done_us, now_us, bounds, applying=applying)
    source = _liveliest(facts, now_us, bounds)
    quiet_us = now_us - source.heard_us
    if quiet_us >= source.silent_us:
        is_lost = quiet_us >= source.lost_us
        said = "no beat" if source.beats else "nothing came"
        reason = f"{said} for {_span(quiet_us)}; {_last_step(facts)}{_waiting(facts)}"
        since_us = source.heard_us + (source.lost_us if is_lost else source.silent_us)
        return Status(kind="lost" if is_lost else "silent", reason=reason, since_us=since_us)
    behind = _behind(facts, now_us, bounds, applying=applying)
    return behind or _stalled(facts, source, now_us, bounds) or _running(facts)


def delivery(facts: Facts) -> DeliveryTruth:
    """Tell what has not arrived, and what never will, as far as the nodes said."""
    writers = facts.writers.items()
    gaps = [Gap(writer=name, first=first, last=last) for name, one in writers for first, last in one.gaps]
    losses: dict[str, int] = {}
    for _, one in writers:
        for reason, count in one.losses.items():
            losses[reason] = losses.get(reason, 0) + count
    return DeliveryTruth(
        behind_s=max((one.backlog_oldest_s for _, one in writers if one.backlog_rows), default=0.0),
        backlog_rows=sum(one.backlog_rows for _, one in writers),
        backlog_bytes=sum(one.backlog_bytes for _, one in writers),
        missing_events=sum(gap.last - gap.first + 1 for gap in gaps),
        gaps=gaps[:SHOWN_GAPS],
        losses=losses,
        writers=sum(1 for name, _ in writers if name),
        beating=sum(one.beat_us is not None for _, one in writers),
        heard_us=max([facts.event_us, *(one.seen_us for _, one in writers)]),
    )


def changes_at(facts: Facts, now_us: int, bounds: StatusBounds) -> int | None:
    """Give the next moment at which `derive` may judge otherwise by time alone; None: only news can change it."""
    moments = [one.seen_us + round(bounds.lost_s * _US) for one in _waiting_writers(facts)]
    if facts.done_us is None:
        moments.append(_advanced_us(facts) + _stall_us(facts, bounds))
        for source in _sources(facts, bounds):
            moments += [source.heard_us + source.silent_us, source.heard_us + source.lost_us]
    return min((moment for moment in moments if moment > now_us), default=None)


# -- after `done`


def _ended(facts: Facts, done_us: int, now_us: int, bounds: StatusBounds, *, applying: bool) -> Status:
    if facts.errors:
        is_interrupted = all(problem.cls in INTERRUPTIONS for problem in facts.errors)
        kind: StatusKind = "interrupted" if is_interrupted else "failed"
        return Status(kind=kind, reason=_told(facts.errors), since_us=done_us)
    waiting = _waiting_writers(facts)
    if applying or any(now_us - one.seen_us < bounds.lost_s * _US for one in waiting):
        what = f"{_counted(waiting)} on the node" if waiting else "a large update is being applied"
        return Status(kind="catching_up", reason=f"it ended; {what}", since_us=done_us)
    missing = _missing(facts, waiting)
    if missing:
        return Status(kind="completed_with_gaps", reason=missing, since_us=done_us)
    return Status(kind="completed", reason=_last_step(facts), since_us=done_us)


def _told(errors: list[Problem]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    text = f"{first.cls}: {first.text}" if first.text else first.cls
    if len(text) > MAX_REASON_CHARACTERS:
        text = text[: MAX_REASON_CHARACTERS - 1] + "…"
    return text + more


def _missing(facts: Facts, waiting: list[WriterFacts]) -> str:
    truth = delivery(facts)
    parts = []
    if truth.missing_events:
        parts.append(f"{_many(truth.missing_events, 'event')} never came")
    parts += [_lost(name, count) for name, count in truth.losses.items() if count]
    if waiting:
        parts.append(f"{_counted(waiting)} on the node")
    return "; ".join(parts)


# -- before it


def _sources(facts: Facts, bounds: StatusBounds) -> Iterator[_Source]:
    """Give everybody who spoke. An update without a key is the newest thing only if no writer was heard as late."""
    does_beat = any(one.beat_us is not None for one in facts.writers.values())
    silent_s, lost_s = _quiet_bounds(facts, bounds)
    quiet = round(silent_s * _US), round(lost_s * _US), False
    beating = round(bounds.silent_s * _US), round(bounds.lost_s * _US), True
    heard_us = max((one.seen_us for one in facts.writers.values()), default=0)
    if facts.writers:
        yield _Source(heard_us, *(beating if does_beat else quiet))
    if facts.event_us > heard_us + _SAME_MOMENT_US or not facts.writers:
        yield _Source(facts.event_us, *quiet)


def _quiet_bounds(facts: Facts, bounds: StatusBounds) -> tuple[float, float]:
    """Seconds after which a client that never beats is silent and lost: it speaks at its steps only."""
    silent_s = max(bounds.quiet_silent_s, bounds.stalled_factor * _rhythm_s(facts))
    return silent_s, max(bounds.quiet_lost_s, silent_s)


def _liveliest(facts: Facts, now_us: int, bounds: StatusBounds) -> _Source:
    """Choose the source that speaks best for the run: alive before silent before lost, then the one heard last."""

    def badness(source: _Source) -> tuple[int, int]:
        quiet_us = now_us - source.heard_us
        return (quiet_us >= source.silent_us) + (quiet_us >= source.lost_us), quiet_us

    return min(_sources(facts, bounds), key=badness)


def _behind(facts: Facts, now_us: int, bounds: StatusBounds, *, applying: bool) -> Status | None:
    """Judge by the nodes that still speak: of one that is lost nothing will catch up while the others run."""
    heard = [one for one in _waiting_writers(facts) if now_us - one.seen_us < bounds.lost_s * _US]
    late = [one for one in heard if one.backlog_oldest_s > bounds.behind_s]
    if late:
        oldest_s = max(one.backlog_oldest_s for one in late)
        since_us = min(one.seen_us - round((one.backlog_oldest_s - bounds.behind_s) * _US) for one in late)
        reason = f"{_counted(late)} on the node, the oldest for {_span(round(oldest_s * _US))}"
        return Status(kind="catching_up", reason=reason, since_us=since_us)
    if applying:
        return Status(kind="catching_up", reason="a large update is being applied", since_us=facts.event_us)
    return None


def _stalled(facts: Facts, source: _Source, now_us: int, bounds: StatusBounds) -> Status | None:
    """Judge one that is heard: a beat counts as being heard now, without beats only what came since the last step."""
    until_us = now_us if source.beats else source.heard_us
    advanced_us, stall_us = _advanced_us(facts), _stall_us(facts, bounds)
    if until_us - advanced_us < stall_us:
        return None
    reason = f"it speaks, but there is no step for {_span(now_us - advanced_us)}; {_last_step(facts)}"
    return Status(kind="stalled", reason=reason, since_us=advanced_us + stall_us)


def _running(facts: Facts) -> Status:
    began_us = facts.start_us if facts.start_us is not None else _advanced_us(facts)
    return Status(kind="running", reason=_last_step(facts) + _waiting(facts), since_us=began_us)


def _advanced_us(facts: Facts) -> int:
    """When it last came a step further, else when it began, else when it was first heard of."""
    for moment in (facts.advance_us, facts.start_us):
        if moment is not None:
            return moment
    return facts.event_us


def _stall_us(facts: Facts, bounds: StatusBounds) -> int:
    return round(max(bounds.stalled_s, bounds.stalled_factor * _rhythm_s(facts)) * _US)


def _rhythm_s(facts: Facts) -> float:
    return median(facts.gaps_s) if facts.gaps_s else 0.0


def _waiting_writers(facts: Facts) -> list[WriterFacts]:
    return [one for one in facts.writers.values() if one.backlog_rows > 0]


# -- words


def _waiting(facts: Facts) -> str:
    waiting = _waiting_writers(facts)
    return f"; {_counted(waiting)} on the node" if waiting else ""


def _counted(waiting: list[WriterFacts]) -> str:
    return _many(sum(one.backlog_rows for one in waiting), "row") + " waiting"


def _last_step(facts: Facts) -> str:
    return "no step yet" if facts.step is None else f"the last step was {facts.step:,}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _lost(reason: str, count: int) -> str:
    """Tell what a node lost; trimmed events came, without their images."""
    if reason == "trimmed":
        return f"{_many(count, 'event')} came without images, for which the node had no room"
    return f"{_many(count, 'event')} lost on the node: {reason}"


def _span(duration_us: int) -> str:
    """Tell a length of time in whole units, so that a reason reads the same for a while."""
    seconds = max(duration_us, 0) // _US
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    if seconds < 172_800:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"
