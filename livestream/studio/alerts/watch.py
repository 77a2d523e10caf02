"""Looks at what changed, asks the rules, and hands what is to be told to the sender.

It is one listener of the broker beside the pages: what it hears is gathered for a second, so that a run that logs a
thousand times is looked at once. Every run is looked at when it begins, and when a rule is new, so that it need not
know where it ended: of what holds and was told the keeper knows, and the rest is told now.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from livestream.errors import LivestreamError
from livestream.studio.alerts.keeper import Keeper, State, noted
from livestream.studio.alerts.parts import Parts
from livestream.studio.alerts.rules import Judged, Look, OnPlateau, Rule, Window, judge, series_of
from livestream.studio.alerts.sender import Sender
from livestream.studio.broker import Subscription
from livestream.studio.status import derive
from livestream.studio.store.base import Chart, ExperimentRow, Reader, Scope
from livestream.studio.store.readers import portions

logger: Final = logging.getLogger(__name__)

TICK_S: Final = 1.0
_AT_ONCE: Final = 50
"""Experiments that are read by one question: others wait for their answers meanwhile."""


class Watch:
    """Watches the runs of one Studio."""

    def __init__(self, keeper: Keeper, sender: Sender, parts: Parts, tick_s: float = TICK_S) -> None:
        self._keeper = keeper
        self._sender = sender
        self._broker = parts.broker
        self._readers = parts.readers
        self._parts = parts
        self._tick_s = tick_s
        self._changed: set[int] = set()
        self._all = True

    def look_at_all(self) -> None:
        """Look at every run at the next tick: a rule is new, and what came while it was made would be missed."""
        self._all = True

    async def run(self) -> None:
        """Watch until the broker closes."""
        with self._broker.subscribe() as heard:
            while not self._broker.closed:
                try:
                    await self._look()
                except (LivestreamError, sqlite3.Error, OSError) as error:
                    logger.warning("livestream.studio_alerts_not_looked", extra={"error": str(error)})
                    self._all = True  # nothing of it is noted: the next look begins anew
                except Exception:  # nothing may end alerts for good
                    logger.exception("livestream.studio_alerts_not_looked")
                await self._news(heard)

    async def holds_of(self, rule: Rule) -> set[int]:
        """Find the experiments of which a rule holds now.

        Raises:
            StoreError: They cannot be read.
        """
        found: set[int] = set()
        for ids in portions(await self._readers.ask(lambda reader: reader.ids(Scope())), _AT_ONCE):
            judged = await self._readers.ask(partial(self._judge, ids, (rule,)))
            found |= {one.experiment for one in judged if one.findings[rule.id][1] is not None}
        return found

    async def _news(self, heard: Subscription) -> None:
        """Gather for one tick what changed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._tick_s
        while (left_s := end - loop.time()) > 0 and not self._broker.closed:
            for packet in await heard.take(left_s):
                if packet.change is None:
                    self._all = True
                elif packet.change.experiment:
                    self._changed.add(packet.change.experiment)

    async def _look(self) -> None:
        changed: Collection[int] = self._changed
        is_all, self._all, self._changed = self._all, False, set()
        rules = tuple(rule for rule in self._keeper.state.rules.values() if rule.enabled)
        if not rules or not (is_all or changed):
            return
        if is_all:
            changed = await self._readers.ask(lambda reader: reader.ids(Scope()))
        for ids in portions(changed, _AT_ONCE):
            judged = await self._readers.ask(partial(self._judge, ids, rules))
            await self._note(judged)

    async def _note(self, judged: Sequence[Judged]) -> None:
        before: State = self._keeper.state
        now_us = self._parts.clock_us()

        def note(state: State) -> State:
            nonlocal before
            before = state
            return noted(state, judged, now_us)

        after = await self._keeper.change(note)
        self._parts.counters.alerts_dropped += after.dropped - before.dropped
        self._sender.take(alert for alert in after.waiting if alert.id >= before.next_alert)

    def _judge(self, ids: tuple[int, ...], rules: Sequence[Rule], reader: Reader) -> list[Judged]:
        """Ask rules about experiments; in a reader's thread."""
        now_us = self._parts.clock_us()
        projects = {project.id: project for project in reader.projects()}
        judged = []
        for row in reader.rows(ids):
            if row.deleted_us is not None:
                continue
            try:
                judged.append(judge(rules, self._look_at(row, reader, now_us), projects))
            except (ValueError, RecursionError, OverflowError):  # of this one run; what others do is told
                logger.exception("livestream.studio_alerts_not_judged", extra={"experiment": row.id})
        return judged

    def _look_at(self, row: ExperimentRow, reader: Reader, now_us: int) -> Look:
        identity = row.identity
        is_applying = self._parts.applying(identity.repository, identity.baseline_sha, identity.name)
        status = derive(row.facts, now_us, self._parts.bounds, applying=is_applying)
        return Look(row, status, partial(read_window, reader, row.id))


def read_window(reader: Reader, experiment: int, on: OnPlateau) -> Window | None:
    """Read what a plateau is judged by; None where the run has no such series."""
    name = series_of(on.metric)
    newest = _chart(reader, experiment, name)
    if newest is None or not newest.steps:
        return None
    border = newest.steps[-1] - on.patience_steps
    before = _chart(reader, experiment, name, last=border)
    recent = _chart(reader, experiment, name, first=border + 1)
    return Window(_best(before, on), _best(recent, on))


def _chart(
    reader: Reader, experiment: int, name: str, first: int | None = None, last: int | None = None
) -> Chart | None:
    found = reader.charts([experiment], [name], points=2, first_step=first, last_step=last)
    return found[0].chart if found else None


def _best(chart: Chart | None, on: OnPlateau) -> float | None:
    """Give the best finite value of a chart; what is no number in it is passed over."""
    if chart is None:
        return None
    is_minimum = on.goal == "minimum"
    values = chart.last if chart.width == 1 else chart.minimum if is_minimum else chart.maximum
    finite = [value for value in values if isinstance(value, int | float) and abs(value) < float("inf")]
    return (min if is_minimum else max)(finite, default=None)
