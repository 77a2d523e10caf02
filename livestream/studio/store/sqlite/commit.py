"""What one transaction does with what it is given, from the first delivery to the last statement before its commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from livestream.events import JsonObject
from livestream.studio.store import marks
from livestream.studio.store.base import Change
from livestream.studio.store.fold import Folded, fold
from livestream.studio.store.sqlite import plots, projects
from livestream.studio.store.sqlite.changes import Logs, News
from livestream.studio.store.sqlite.points import PointBatch
from livestream.studio.store.sqlite.state import ExperimentState, States, save
from livestream.studio.update import Beat, Delivery, Identity

MAX_REFERENCES: Final = 100


class Commit:
    """A transaction in the making.

    Attributes:
        points: Rows to insert.
        repeats: Keyed deliveries that were known.
        last_us: The newest time that a row was marked with; the next transaction begins above it.
    """

    def __init__(self, connection: sqlite3.Connection, states: States, time_us: int, last_us: int) -> None:
        self.points = PointBatch()
        self.repeats = 0
        self.last_us = last_us
        self._connection = connection
        self._states = states
        self._logs = Logs(connection, time_us)
        self._touched: dict[int, tuple[ExperimentState, News]] = {}
        self._has_new_project = False

    def take(self, delivery: Delivery, images: Sequence[str]) -> int:
        """Take in a delivery whose images are stored under these sha256, and give its experiment's id."""
        identity = delivery.update.identity
        state = self._states.find(self._connection, identity) or self._create(identity, delivery)
        news = self._touch(state)
        if delivery.key is not None and not self._is_news(state, news, delivery):
            self.repeats += delivery.last_slice
            return state.id
        folded = fold(state.known, delivery)
        self._note(state, news, folded, delivery.received_us)
        self._store(state, news, folded, delivery, images)
        # Over all experiments this is never below the time of any row: a restart reads from it where to go on.
        state.updated_us = max(state.updated_us, self.last_us)
        return state.id

    def take_beat(self, beat: Beat) -> int:
        """Note a beat, and give its experiment's id; 0 where it is not known."""
        state = self._states.find(self._connection, beat.identity)
        if state is None:
            return 0
        facts = state.known.facts
        news = self._touch(state)
        if marks.note_beat(marks.writer_of(facts, beat.writer), beat):
            news.kind = news.kind or "facts"
        marks.forget_old_writers(facts)
        return state.id

    def take_reference(self, repository: str, reference: str, *, is_there: bool) -> None:
        """Note that a Git reference was pushed or removed, if its experiment is known."""
        identity = projects.experiment_of(repository, reference)
        state = identity and self._states.find(self._connection, identity)
        if not state:
            return
        facts = state.known.facts
        if is_there == (reference in facts.references):
            return
        if is_there:
            facts.references = [*facts.references, reference][-MAX_REFERENCES:]
        else:
            facts.references = [other for other in facts.references if other != reference]
        news = self._touch(state)
        news.kind = news.kind or "facts"
        detail: JsonObject = {"reference": reference} if is_there else {"reference": reference, "removed": True}
        self._logs.add_event(state.id, "pushed", detail, self._logs.time_us)

    def finish(self) -> list[Change]:
        """Write everything; what is left to do is the commit."""
        self.points.insert(self._connection)
        save(self._connection, (state for state, _ in self._touched.values()))
        for _, news in self._touched.values():
            self._logs.add_change(news)
        if self._has_new_project:
            self._logs.add_change(News(0, "project"))
        return self._logs.write()

    def _touch(self, state: ExperimentState) -> News:
        touched = self._touched.get(state.id)
        if touched is None:
            touched = self._touched[state.id] = state, News(state.id)
        return touched[1]

    def _create(self, identity: Identity, delivery: Delivery) -> ExperimentState:
        state = self._states.create(self._connection, identity, delivery.received_us)
        self._touch(state).kind = "facts"
        if delivery.update.kind != "start":
            self._logs.add_event(state.id, "started", {"by": delivery.update.kind}, delivery.received_us)
        if not projects.is_shown(self._connection, identity.repository, delivery.update.subdir or ""):
            project = projects.automatic_project(identity, delivery.received_us)
            projects.insert_project(self._connection, project)
            self._has_new_project = True
        return state

    def _is_news(self, state: ExperimentState, news: News, delivery: Delivery) -> bool:
        """Judge a keyed delivery by its writer's mark, and note what it says of its writer."""
        facts, key = state.known.facts, delivery.key
        if key is None:
            return True
        writer = marks.writer_of(facts, key.writer)
        is_repeat = marks.is_repeat(writer, key, repair=delivery.repair)
        is_changed = marks.note_delivery(writer, delivery)
        if not is_repeat and delivery.last_slice:
            gaps = writer.gaps
            marks.take(writer, key, repair=delivery.repair)
            is_changed |= gaps != writer.gaps
        marks.forget_old_writers(facts)
        if is_changed:
            news.kind = news.kind or "facts"
        return not is_repeat

    def _note(self, state: ExperimentState, news: News, folded: Folded, received_us: int) -> None:
        state.metrics_changed |= bool(folded.metrics)
        state.params_changed |= bool(folded.params)
        news.add_leaves(folded.metrics, folded.params)
        if folded.step is not None:
            news.step = folded.step
        if folded.has_news:
            news.kind = news.kind or "facts"
        news.has_event |= bool(folded.log)
        for kind, detail in folded.log:
            self._logs.add_event(state.id, kind, detail, received_us)

    def _store(
        self, state: ExperimentState, news: News, folded: Folded, delivery: Delivery, images: Sequence[str]
    ) -> None:
        update, connection = delivery.update, self._connection
        base_us = max(delivery.received_us, self.last_us + 1)
        free_us = self.points.add(
            state.series, partial(state.add_series, connection), update.points, base_us, news.plots
        )
        self.last_us = max(free_us - 1, base_us)
        if update.pictures:
            pictures = list(zip(update.pictures, images, strict=True))
            news.plots |= plots.add_pictures(connection, state, pictures, base_us)
        if update.snapshots:
            news.plots |= plots.put_snapshots(connection, state, update.snapshots, folded.rank, base_us)
        if update.plot_props:
            news.plots |= plots.put_props(connection, state, update.plot_props, folded.rank, base_us)
