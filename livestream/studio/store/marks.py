"""How a repeat is known from news: a high-water mark a writer, kept in `WriterFacts`.

A key says which events of which writer an update carries, and which of its parts this is. Let ``mark`` be the last
event of a writer whose update arrived whole. Then a part is

* a *repeat* when its ``last <= mark``, or when its update is still open and this part of it is in;
* *news* otherwise. When the last missing part of an update arrives, the mark moves to its ``last``; what lies between
  the old mark and its ``first`` is a *gap*: events that became dead letters, or were lost with a disk.

A *repair*, a dead letter tried again, lies below the mark and is news all the same, once; it fills its gap. An update
that begins below the mark and ends above it was cut anew by a client that lost its books: it is taken and counted as an
*overlap*, because refusing it would lose its tail.

What is remembered is bounded. What is forgotten first, the oldest open update or repair, costs at most that a repeat is
taken as news, and rows are stored once in any case.
"""

from __future__ import annotations

from typing import Final

from livestream.studio.experiment import Facts, WriterFacts
from livestream.studio.update import Backlog, Beat, Delivery, UpdateKey

MAX_OPEN: Final = 64
MAX_PARTS: Final = 10_000
MAX_REPAIRED: Final = 1_000
MAX_GAPS: Final = 1_000
MAX_WRITERS: Final = 200
MAX_LIVELY_WRITERS: Final = 2_000
"""Writers heard within `LIVELY_S` of the newest are kept up to this many: a job may have a thousand ranks, and one that
is forgotten while it writes would seem to have lost all that it sent before."""
LIVELY_S: Final = 3_600
GONE: Final = ""
"""The name under which the gaps and losses of writers beyond the newest `MAX_WRITERS` are kept together."""


def is_repeat(writer: WriterFacts, key: UpdateKey, *, repair: bool) -> bool:
    """Say whether this part was taken before."""
    if repair:
        return _part_name(key) in writer.repaired
    if key.last <= writer.mark:
        return True
    return key.part in writer.open.get(_update_name(key), ())


def take(writer: WriterFacts, key: UpdateKey, *, repair: bool) -> None:
    """Note that this part, which is no repeat, was taken; move the mark if its update is whole."""
    if repair:
        writer.repaired = [*writer.repaired, _part_name(key)][-MAX_REPAIRED:]
    if key.parts > 1 and not _completes(writer, key):
        return
    if repair:
        _fill(writer, key)
    else:
        _move(writer, key)


def _completes(writer: WriterFacts, key: UpdateKey) -> bool:
    name = _update_name(key)
    taken = [*writer.open.get(name, ()), key.part]
    opened = {other: parts for other, parts in writer.open.items() if other != name}
    is_whole = len(set(taken)) >= key.parts
    if not is_whole and len(taken) <= MAX_PARTS:
        opened[name] = taken
    while len(opened) > MAX_OPEN:
        del opened[next(iter(opened))]
    writer.open = opened
    return is_whole


def _move(writer: WriterFacts, key: UpdateKey) -> None:
    if key.first > writer.mark + 1:
        writer.gaps = _bounded([*writer.gaps, (writer.mark + 1, key.first - 1)])
    elif key.first <= writer.mark:
        writer.overlaps += 1
    writer.mark = key.last


def _fill(writer: WriterFacts, key: UpdateKey) -> None:
    left: list[tuple[int, int]] = []
    for first, last in writer.gaps:
        if last < key.first or first > key.last:
            left.append((first, last))
            continue
        if first < key.first:
            left.append((first, key.first - 1))
        if last > key.last:
            left.append((key.last + 1, last))
    writer.gaps = _bounded(left)


def _bounded(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join the oldest where there are too many: rather one gap too wide than one unknown."""
    surplus = len(gaps) - MAX_GAPS
    if surplus <= 0:
        return gaps
    joined = gaps[: surplus + 1]
    return [(min(first for first, _ in joined), max(last for _, last in joined)), *gaps[surplus + 1 :]]


def _update_name(key: UpdateKey) -> str:
    return f"{key.first}/{key.last}/{key.parts}"


def _part_name(key: UpdateKey) -> str:
    return f"{key.first}/{key.last}/{key.part}/{key.parts}"


# -- what else is known of a writer


def writer_of(facts: Facts, writer: str) -> WriterFacts:
    """Give what is known of a writer, from now on at least that it is there."""
    found = facts.writers.get(writer)
    if found is None:
        found = facts.writers[writer] = WriterFacts()
    return found


def note_delivery(writer: WriterFacts, delivery: Delivery) -> bool:
    """Note what a keyed delivery says of its writer beside its content; True if it says anything new."""
    return _note(writer, delivery.received_us, delivery.backlog or Backlog(), delivery.losses)


def note_beat(writer: WriterFacts, beat: Beat) -> bool:
    """Note that a writer lives; True if anything is new beside that."""
    is_first = writer.beat_us is None
    writer.beat_us = max(writer.beat_us or 0, beat.received_us)
    return _note(writer, beat.received_us, beat.backlog, beat.losses) or is_first


def _note(writer: WriterFacts, received_us: int, backlog: Backlog, losses: dict[str, int]) -> bool:
    before = writer.backlog_rows, writer.backlog_bytes, writer.backlog_oldest_s, writer.losses
    writer.seen_us = max(writer.seen_us, received_us)
    writer.backlog_rows, writer.backlog_bytes = backlog.rows, backlog.bytes
    writer.backlog_oldest_s = backlog.oldest_s
    if losses:  # totals, which never fall: an older telling that comes late takes nothing back
        writer.losses = writer.losses | {
            reason: max(count, writer.losses.get(reason, 0)) for reason, count in losses.items()
        }
    return before != (writer.backlog_rows, writer.backlog_bytes, writer.backlog_oldest_s, writer.losses)


def forget_old_writers(facts: Facts) -> None:
    """Keep the newest writers; of the others only what is missing and what was lost, as one entry `GONE`."""
    surplus = len(facts.writers) - MAX_WRITERS
    if surplus <= 0:
        return
    lively_us = max(writer.seen_us for writer in facts.writers.values()) - LIVELY_S * 1_000_000
    quiet = sum(writer.seen_us < lively_us for name, writer in facts.writers.items() if name != GONE)
    surplus = max(min(surplus, quiet), len(facts.writers) - MAX_LIVELY_WRITERS)
    if surplus <= 0:
        return
    gone = facts.writers.pop(GONE, None)
    surplus += gone is None  # its own place
    gone = gone or WriterFacts()
    by_age = sorted(facts.writers, key=lambda name: facts.writers[name].seen_us)
    for name in by_age[:surplus]:
        writer = facts.writers.pop(name)
        gone.gaps = _bounded([*gone.gaps, *writer.gaps])
        gone.overlaps += writer.overlaps
        gone.seen_us = max(gone.seen_us, writer.seen_us)
        for reason, count in writer.losses.items():
            gone.losses = gone.losses | {reason: gone.losses.get(reason, 0) + count}
    facts.writers[GONE] = gone
