"""How a delivery changes what is known of its experiment: its session, its dictionaries, its facts. No I/O.

*Sessions.* A `start` begins the first session, and a new one where a start came before, unless it is a repeat of that
start. Stock clients send no key, so a start of theirs is a repeat when its body is equal and it comes within
`RESEND_WINDOW_S` of the start, or of the done. Data of theirs with news, long after the done, says that the training
goes on: it reopens the experiment as a new session. What our daemon sends late never does, for it is known to be late:
a writer belongs to the session that its start began, so the rest of a dead writer's queue, its done included, does not
end or outrank the session of the one that took over.

*Dictionaries.* On the wire a metrics or params file is whole, and replaces. Two posts of one step must merge
(`dvc exp run` and the script inside both send), and a late post must not take newer values back. So files merge leaf by
leaf, and each file remembers its rank, (session, step): content of at least that rank goes over what is stored, content
of a lower one only fills in what is missing. A start ranks before all steps of its session, a done after all. Our
daemon merges what all writers of a node say and sends it in order, and its repeats are known: among its posts of one
session the last to come is the newest, so that an evaluation that counts steps of its own shows beside the training.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from livestream.events import Json, JsonObject, Problem
from livestream.studio.experiment import MAX_WARNINGS, RECENT_GAPS, Facts
from livestream.studio.status import INTERRUPTIONS
from livestream.studio.update import Delivery, Update

Rank: TypeAlias = tuple[int, int]
Order: TypeAlias = Literal["step", "arrival", "fill"]

RESEND_WINDOW_S: Final = 15
"""A proxy repeats at once; a training that crashed is seldom started again as quickly."""
REOPEN_AFTER_S: Final = 60
"""Data so soon after the done may have been on its way."""
START_RANK: Final = -1
DONE_RANK: Final = 1 << 62
MAX_CLIENTS: Final = 20
MAX_EXTRA: Final = 100
"""Unknown fields that are kept of an experiment, by name."""
MAX_HELD_BYTES: Final = 16 * 1024 * 1024
"""Of an experiment's facts and dictionaries, as JSON. They are decoded to change them and read with every row of the
table, so an experiment that grew without end would take the Studio's memory, and then everybody's runs, with it."""
TOO_MUCH: Final = Problem(
    "livestream.TooMuch", f"this run holds more than {MAX_HELD_BYTES:,} bytes beside its plots: nothing new is kept"
)

_SECOND_US: Final = 1_000_000


class Known(msgspec.Struct, kw_only=True):
    """What is stored of an experiment, but for its rows, plots and images; `fold` changes it in place.

    Attributes:
        held_bytes: About what all of it takes as JSON.
    """

    facts: Facts
    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    subdir: str = ""
    held_bytes: int = 0


class Folded(msgspec.Struct, kw_only=True):
    """What a delivery changed.

    Attributes:
        rank: (session, step) of the delivery's content.
        metrics: Changed leaves, as ``params``.
        step: The new highest step, if it rose.
        has_news: Facts changed that people see.
        log: Lines for the log of events: kind and detail.
    """

    rank: tuple[int, int] = (1, START_RANK)
    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    step: int | None = None
    has_news: bool = False
    log: list[tuple[str, JsonObject]] = []


def fold(known: Known, delivery: Delivery) -> Folded:
    """Take in a delivery that is no repeat."""
    if known.held_bytes > MAX_HELD_BYTES:
        delivery = msgspec.structs.replace(delivery, update=_without_new(known, delivery.update))
    folded = Folded(log=[])
    update, facts = delivery.update, known.facts
    if update.kind == "start":
        _start(facts, delivery, folded)
    elif update.kind == "data":
        _reopen(known, delivery, folded)
    session = _session_of(facts, delivery)
    is_current = session == facts.session
    if update.kind == "done" and is_current:
        _finish(facts, delivery, folded)
    folded.rank = session, rank_of(update)
    order: Order = "fill" if delivery.repair else "step" if delivery.key is None else "arrival"
    folded.metrics = merge_files(known.metrics, facts.metric_ranks, update.metrics, folded.rank, order)
    folded.params = merge_files(known.params, facts.param_ranks, update.params, folded.rank, order)
    if update.kind == "data" and update.step is not None and is_current:
        _advance(facts, update.step, delivery.received_us, folded)
    _describe(known, update, folded)
    facts.event_us = max(facts.event_us, delivery.received_us)
    return folded


def rank_of(update: Update) -> int:
    """Say where in its session an update's content stands."""
    kind = update.of or update.kind
    if kind == "data":
        return START_RANK if update.step is None else update.step
    return START_RANK if kind == "start" else DONE_RANK


# -- sessions


def _session_of(facts: Facts, delivery: Delivery) -> int:
    writer = facts.writers.get(delivery.key.writer) if delivery.key else None
    if writer is None:
        return facts.session
    if delivery.update.kind == "start":
        writer.session = facts.session
    return writer.session or facts.session


def _start(facts: Facts, delivery: Delivery, folded: Folded) -> None:
    if facts.start_us is not None:
        if _is_same_start(facts, facts.start_us, delivery):
            return
        _begin_session(facts)
    message = {} if delivery.update.message is None else {"message": delivery.update.message}
    folded.log.append(("started" if facts.session == 1 else "resumed", message))
    facts.start_us, facts.start_digest = delivery.received_us, delivery.digest.hex()
    folded.has_news = True


def _is_same_start(facts: Facts, start_us: int, delivery: Delivery) -> bool:
    if facts.start_digest != delivery.digest.hex():
        return False
    if start_us == delivery.received_us:  # the next slice of one body, or its second application after a crash
        return True
    if delivery.key is not None:
        return False
    moments = [start_us] if facts.done_us is None else [start_us, facts.done_us]
    return any(abs(delivery.received_us - moment) <= RESEND_WINDOW_S * _SECOND_US for moment in moments)


def _reopen(known: Known, delivery: Delivery, folded: Folded) -> None:
    facts = known.facts
    if (
        delivery.key is not None
        or facts.done_us is None
        or delivery.received_us - facts.done_us <= REOPEN_AFTER_S * _SECOND_US
    ):
        return
    if _tells_news(known, delivery.update):
        _begin_session(facts)
        folded.log.append(("reopened", {}))
        folded.has_news = True


def _tells_news(known: Known, update: Update) -> bool:
    facts = known.facts
    if update.step is not None and (facts.step is None or update.step > facts.step):
        return True
    rank = facts.session, rank_of(update)
    return any(
        path not in known.metrics
        or _differs(known.metrics[path], content, over=_is_over(facts.metric_ranks.get(path), rank, "step"))
        for path, content in update.metrics.items()
    )


def _begin_session(facts: Facts) -> None:
    facts.session += 1
    facts.done_us, facts.errors, facts.step, facts.gaps_s, facts.advance_us = None, [], None, [], None


def _finish(facts: Facts, delivery: Delivery, folded: Folded) -> None:
    update = delivery.update
    # `dvc exp run` says done, without errors, after a script that failed and said so: what failed stays failed.
    errors = update.errors or facts.errors
    is_first = facts.done_us is None
    is_same_end = not is_first and errors == facts.errors
    if is_same_end and update.experiment_rev in {None, facts.experiment_rev}:
        return
    facts.done_us, facts.errors = delivery.received_us, errors
    folded.has_news = True
    if not is_same_end:
        folded.log.append(_end(facts))


def _end(facts: Facts) -> tuple[str, JsonObject]:
    if not facts.errors:
        return "done", {}
    is_interrupted = all(problem.cls in INTERRUPTIONS for problem in facts.errors)
    errors = [{"cls": problem.cls, "text": problem.text} for problem in facts.errors]
    return "interrupted" if is_interrupted else "failed", {"errors": errors}


def _advance(facts: Facts, step: int, received_us: int, folded: Folded) -> None:
    if facts.step is not None and step <= facts.step:
        return
    if facts.advance_us is not None and received_us > facts.advance_us:
        facts.gaps_s = [*facts.gaps_s, (received_us - facts.advance_us) / 1e6][-RECENT_GAPS:]
    facts.step, facts.advance_us = step, max(received_us, facts.advance_us or 0)
    folded.step = step


# -- facts beside them


def _describe(known: Known, update: Update, folded: Folded) -> None:
    facts = known.facts
    before = facts.message, facts.experiment_rev, len(facts.clients), known.subdir
    facts.message = facts.message if update.message is None else update.message
    facts.experiment_rev = update.experiment_rev or facts.experiment_rev
    known.subdir = known.subdir if update.subdir is None else update.subdir
    if update.client and update.client not in facts.clients:
        facts.clients = [*facts.clients, update.client][-MAX_CLIENTS:]
    changed = before != (facts.message, facts.experiment_rev, len(facts.clients), known.subdir)
    for stored, new in ((facts.machine, update.machine), (facts.env, update.env), (facts.extra, update.extra)):
        if new and merge(stored, new, over=True):
            changed = True
    while len(facts.extra) > MAX_EXTRA:
        del facts.extra[next(iter(facts.extra))]
    if update.kind != "done":
        changed |= _warn(facts, update, folded)
    folded.has_news |= changed


def _warn(facts: Facts, update: Update, folded: Folded) -> bool:
    new = [problem for problem in update.errors if problem not in facts.warnings]
    if new:
        facts.warnings = [*facts.warnings, *new][-MAX_WARNINGS:]
        folded.log.extend(("warning", {"cls": problem.cls, "text": problem.text}) for problem in new[-MAX_WARNINGS:])
    return bool(new)


# -- bounds


def _without_new(known: Known, update: Update) -> Update:
    """Leave out of an update what an experiment that holds too much would grow by; its numbers go on changing."""
    metrics, params = _numbers_within(known.metrics, update.metrics), _numbers_within(known.params, update.params)
    is_less = (metrics, params) != (update.metrics, update.params) or update.machine or update.env or update.extra
    errors = [*update.errors, TOO_MUCH] if is_less and update.kind != "done" else update.errors
    return msgspec.structs.replace(update, metrics=metrics, params=params, machine={}, env={}, extra={}, errors=errors)


def _numbers_within(stored: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
    kept: dict[str, Json] = {}
    for name, value in new.items():
        old = stored.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            kept[name] = _numbers_within(old, value)
        elif name in stored and isinstance(value, int | float):
            kept[name] = value
    return kept


# -- dictionaries


def merge_files(
    stored: dict[str, JsonObject],
    ranks: dict[str, tuple[int, int]],
    new: dict[str, JsonObject],
    rank: Rank,
    order: Order = "step",
) -> dict[str, JsonObject]:
    """Merge files into those stored, in place.

    Args:
        stored: By file, as ``ranks`` and ``new``.
        ranks: Of what is stored.
        new: What came.
        rank: Of what came.
        order: What makes content newer within a session: its step, or that it came later; ``fill`` only adds what is
            missing.

    Returns:
        File to the leaves that changed.
    """
    changed: dict[str, JsonObject] = {}
    for path, content in new.items():
        over = order != "fill" and _is_over(ranks.get(path), rank, order)
        is_new = path not in stored
        leaves = merge(stored.setdefault(path, {}), content, over=over)
        if leaves or is_new:
            changed[path] = leaves
        if over or path not in ranks:
            ranks[path] = max(rank, ranks.get(path, rank))
    return changed


def _is_over(stored: Rank | None, rank: Rank, order: Order) -> bool:
    return stored is None or rank >= stored or (order == "arrival" and rank[0] == stored[0])


def merge(stored: JsonObject, new: JsonObject, *, over: bool) -> JsonObject:
    """Merge leaf by leaf, in place; ``over``: new leaves go over stored ones.

    Returns:
        The leaves that changed. Neither they nor ``stored`` share with ``new`` what a later merge would change.
    """
    if over and dict not in set(map(type, new.values())):  # nearly always, and this is done for every body
        changed = {
            name: value
            for name, value in new.items()
            if name not in stored or stored[name] != value or type(stored[name]) is not type(value)
        }
        stored.update(changed)
        return changed
    changed = {}
    for name, value in new.items():
        old = stored.get(name)
        if type(old) is dict and type(value) is dict:
            leaves = merge(old, value, over=over)
            if leaves:
                changed[name] = leaves
        elif name not in stored or (over and (old != value or type(old) is not type(value))):
            stored[name] = _copied(value)
            changed[name] = _copied(value)
    return changed


def overlay(leaves: JsonObject, newer: JsonObject) -> None:
    """Put changed leaves over those that changed before, in place."""
    if dict in set(map(type, newer.values())):
        merge(leaves, newer, over=True)
    else:
        leaves.update(newer)


def _differs(stored: JsonObject, new: JsonObject, *, over: bool) -> bool:
    for name, value in new.items():
        if name not in stored:
            return True
        old = stored[name]
        if type(old) is dict and type(value) is dict:
            if _differs(old, value, over=over):
                return True
        elif over and old != value:
            return True
    return False


def _copied(value: Json) -> Json:
    return {name: _copied(inner) for name, inner in value.items()} if type(value) is dict else value
