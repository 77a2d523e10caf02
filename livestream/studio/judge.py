"""The one part that acts on the clock alone: it judges open experiments again when time may have changed their status.

A status is stored nowhere (see `status`), so a run that falls silent causes no commit, and nothing would be told. The
judge remembers what it last called each open experiment and when that may change by itself, looks again then and after
every change, and tells pages by a change ``facts``.

What a person would ask about later, a run that fell silent, was lost, stalled, and came back, is also a line in its log
of events, so that the log tells from when to when it was called what: its start, these lines, its end. Catching up
comes and goes too often for that, and is a line only after one of these. What the log said last is read when an
experiment is first seen, so that what changed while no Studio ran is told too.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from livestream.errors import LivestreamError
from livestream.studio.broker import Broker, Subscription
from livestream.studio.ingest.ingest import Ingest
from livestream.studio.settings import StatusBounds
from livestream.studio.status import ENDED, Status, StatusKind, changes_at, derive
from livestream.studio.store.base import Brief, Change, LogLine, Reader, Scope, Writer
from livestream.studio.store.readers import Readers, portions

logger: Final = logging.getLogger(__name__)

TICK_S: Final = 1.0
_AT_ONCE: Final = 500
_TOLD: Final[frozenset[StatusKind]] = frozenset({"silent", "lost", "stalled"})
"""Entering or leaving one of these is a line in the log of events."""
_SAID: Final[dict[str, StatusKind]] = {
    "started": "running",
    "resumed": "running",
    "reopened": "running",
    "running": "running",
    "catching_up": "catching_up",
    "stalled": "stalled",
    "silent": "silent",
    "lost": "lost",
}
"""What a line of the log says that a run is called from then on."""
_RECENT_LINES: Final = 50


class _Judged(msgspec.Struct, frozen=True):
    """What an experiment was last called, what its log says that it is, and when the first may change by time alone."""

    kind: StatusKind
    said: StatusKind
    due_us: int | None


class _Turn(msgspec.Struct, frozen=True):
    """An experiment is called something else than before; ``is_line``: its log is to say so, as of ``since_us``."""

    experiment: int
    before: StatusKind
    now: Status
    is_line: bool
    since_us: int


class Judge:
    """Looks after the open experiments of one Studio."""

    def __init__(
        self,
        broker: Broker,
        readers: Readers,
        ingest: Ingest,
        bounds: StatusBounds,
        clock_us: Callable[[], int],
        tick_s: float = TICK_S,
    ) -> None:
        self._broker = broker
        self._readers = readers
        self._ingest = ingest
        self._bounds = bounds
        self._clock_us = clock_us
        self._tick_s = tick_s
        self._judged: dict[int, _Judged] = {}

    async def run(self) -> None:
        """Judge until the broker closes."""
        with self._broker.subscribe() as heard:
            changed: Collection[int] | None = None
            while not self._broker.closed:
                try:
                    await self._look(changed)
                except (LivestreamError, sqlite3.Error, OSError) as error:
                    logger.warning("livestream.studio_judging_failed", extra={"error": str(error)})
                except Exception:  # one experiment that cannot be judged must not end it for all, for good
                    logger.exception("livestream.studio_judging_failed")
                changed = await self._news(heard)

    async def _news(self, heard: Subscription) -> Collection[int] | None:
        """Collect for one tick what changed; None: all may have."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._tick_s
        changed: set[int] = set()
        is_all = False
        while (left_s := end - loop.time()) > 0 and not self._broker.closed:
            for packet in await heard.take(left_s):
                is_all = is_all or packet.change is None
                if packet.change is not None and not packet.passing:
                    changed.add(packet.change.experiment)
        return None if is_all else changed - {0}

    async def _look(self, changed: Collection[int] | None) -> None:
        """Judge what changed and what is due, and tell what is called something else now."""
        now_us = self._clock_us()
        if changed is None:
            changed = [*self._judged, *await self._readers.ask(lambda reader: reader.ids(Scope()))]
        due = {one for one, judged in self._judged.items() if judged.due_us is not None and judged.due_us <= now_us}
        turns = []
        for ids in portions(due | set(changed), _AT_ONCE):
            briefs, said = await self._readers.ask(partial(_read, ids, frozenset(self._judged)))
            for gone in set(ids) - {brief.id for brief in briefs}:
                self._judged.pop(gone, None)
            turns += [turn for brief in briefs for turn in self._judge(brief, said.get(brief.id), now_us)]
        if turns:
            await self._tell(turns, now_us)

    def _judge(self, brief: Brief, said: StatusKind | None, now_us: int) -> Iterable[_Turn]:
        """Judge one; ``said``: what its log says that it is, where that is not known."""
        identity, facts = brief.identity, brief.facts
        is_applying = self._ingest.applying(identity.repository, identity.baseline_sha, identity.name)
        status = derive(facts, now_us, self._bounds, applying=is_applying)
        due_us = now_us if is_applying else changes_at(facts, now_us, self._bounds)
        before = self._judged.pop(brief.id, None)
        said = said if before is None else before.said
        is_line = facts.done_us is None and said is not None and _is_line(said, status.kind)
        if due_us is not None or status.kind not in ENDED:
            now_said = "running" if said is None or facts.done_us is not None else status.kind if is_line else said
            self._judged[brief.id] = _Judged(status.kind, now_said, due_us)
        if before is not None and before.kind != status.kind:
            yield _Turn(brief.id, before.kind, status, is_line, now_us)
        elif before is None and is_line and said is not None:
            yield _Turn(brief.id, said, status, True, status.since_us if status.kind in _TOLD else now_us)

    async def _tell(self, turns: list[_Turn], now_us: int) -> None:
        lines = [turn for turn in turns if turn.is_line]

        def write(writer: Writer) -> list[Change]:
            return [change for turn in lines for change in writer.add_event(*_line(turn))]

        if lines:
            await self._ingest.call(write)
        for turn in turns:
            if not turn.is_line:
                self._broker.publish_passing(turn.experiment, now_us)


def _is_line(said: StatusKind, kind: StatusKind) -> bool:
    return kind != said and (kind in _TOLD or said != "running")


def _line(turn: _Turn) -> tuple[int, str, dict[str, str], int]:
    return turn.experiment, turn.now.kind, {"before": turn.before, "reason": turn.now.reason}, turn.since_us


def _read(ids: tuple[int, ...], known: Collection[int], reader: Reader) -> tuple[list[Brief], dict[int, StatusKind]]:
    """Read experiments, and what the logs say of those that are open and not known."""
    briefs = reader.briefs(Scope(ids=ids))
    new = [brief.id for brief in briefs if brief.id not in known and brief.facts.done_us is None]
    return briefs, {one: _said(reader.log(one, _RECENT_LINES)) for one in new}


def _said(log: Sequence[LogLine]) -> StatusKind:
    return next((_SAID[line.kind] for line in reversed(log) if line.kind in _SAID), "running")
