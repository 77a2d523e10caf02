from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_cases import METRICS, NOW_US, Store, delivery, expected_rollups, identity, key, points

from livestream.studio import status
from livestream.studio.store.base import Applied, Project
from livestream.studio.store.errors import ProjectExistsError
from livestream.studio.store.sqlite import changes, state
from livestream.studio.update import Backlog, Beat, Picture, Snapshot, Value


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.writer.close()


def test_a_row_is_stored_once_however_often_it_is_sent(store: Store) -> None:
    rows = [(step, step / 2) for step in range(1000)]
    first = store.apply(delivery(step=999, points=[points(rows)]))
    assert (first.points_new, first.points_known) == (1000, 0)
    again = store.apply(delivery(step=999, points=[points(rows)]))
    assert (again.points_new, again.points_known, again.changes) == (0, 1000, [])
    more = store.apply(delivery(step=1000, points=[points([*rows[500:], (1000, 0.5)]), points([(1, 1)], "acc", "acc")]))
    assert (more.points_new, more.points_known) == (2, 500)
    assert more.changes[0].plots == ["acc", "loss"]
    assert len(store.rows()) == 1002


def test_only_plots_with_new_rows_are_named_in_a_change(store: Store) -> None:
    both = [points([(1, 0.5)], "a", "a"), points([(1, 0.5)], "b", "b")]
    store.apply(delivery(step=1, points=both))
    applied = store.apply(delivery(step=1, points=[both[0], points([(1, 0.5), (2, 0.5)], "b", "b")]))
    assert [change.plots for change in applied.changes] == [["b"]]


def test_values_keep_their_kind(store: Store) -> None:
    values: list[Value] = [1, 0.5, -(2**63), 2**63 - 1, 2**64, float("inf"), float("-inf"), "nan", True]
    store.apply(delivery(points=[points(enumerate(values))]))
    stored = [row[4] for row in store.rows()]
    assert stored == [1, 0.5, -(2**63), 2**63 - 1, float(2**64), float("inf"), float("-inf"), "nan", 1]
    store.apply(delivery(points=[points([(100, 10**400)])]))
    assert store.rows()[-1][4] == float("inf")


def test_several_rows_at_a_step_stay_and_the_newest_counts(store: Store) -> None:
    store.apply(delivery(points=[points([(0, 1.0), (0, 2.0), (0, 1.5), (64, 0.0)])]))
    assert [row[4] for row in store.rows()] == [1.0, 1.5, 2.0, 0.0]
    ((last, lowest, highest, count),) = store.ask("SELECT last, minimum, maximum, count FROM rollup")
    assert (last, lowest, highest, count) == (1.5, 1.5, 1.5, 1)


def test_times_of_rows_rise_strictly_also_over_a_restart_and_a_clock_set_back(store: Store) -> None:
    store.apply(delivery(points=[points([(step, 1.0) for step in range(500)])]))
    store.apply(delivery(at_s=-5, points=[points([(step, 2.0) for step in range(500)])]))
    store.reopen()
    store.apply(delivery(at_s=-9, points=[points([(step, 3.0) for step in range(500)])]))
    times = [time for (time,) in store.ask("SELECT received_us FROM point ORDER BY value, step")]
    assert times == sorted(set(times))
    assert times[0] == NOW_US


@pytest.mark.parametrize("restarts", [False, True])
def test_rollups_of_a_series_that_comes_row_by_row_are_those_of_its_points(store: Store, restarts: bool) -> None:  # noqa: FBT001
    for begin in range(0, 2200, 100):
        kinds: list[Value] = ["nan", float("inf"), begin, -0.25, begin % 7]
        values = [kinds[step % 5] for step in range(begin, begin + 100)]
        store.apply(*[delivery(points=[points([(begin + i, value)])]) for i, value in enumerate(values)])
        if restarts:
            store.reopen()
    assert store.rollups() == expected_rollups(store.rows())
    assert {row[2] for row in store.rollups()} == {6, 8, 10}


def test_rollups_of_sparse_negative_and_enormous_steps(store: Store) -> None:
    steps = [-(2**62), -5000, -64, -1, 0, 63, 64, 10**6, 10**15, 2**62]
    store.apply(delivery(points=[points([(step, float(i)) for i, step in enumerate(steps)])]))
    store.apply(delivery(points=[points([(-100, 0.5), (65, 0.5), (2**61, 0.5)])]))
    assert store.rollups() == expected_rollups(store.rows())


def test_all_levels_of_a_long_series(store: Store) -> None:
    store.apply(
        *[delivery(points=[points([(s, s * 0.5) for s in range(b, b + 5000)])]) for b in range(0, 40_000, 5000)]
    )
    found = store.rollups()
    assert found == expected_rollups(store.rows())
    assert [sum(row[2] == level for row in found) for level in (6, 8, 10, 14)] == [624, 156, 39, 2]


def test_a_series_that_was_forgotten_in_between_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_EXPERIMENTS", 1)
    for begin in range(0, 300, 10):
        for name in ("one", "two"):
            store.apply(delivery(of=identity(name), step=begin, points=[points([(begin + i, i) for i in range(10)])]))
    ((count, total),) = store.ask("SELECT count(*), sum(count) FROM rollup")
    assert (count, total) == (10, 1024)


def test_marks_move_when_every_part_is_in_and_repeats_change_only_what_is_known_of_the_writer(store: Store) -> None:
    def part(number: int, **more: Any) -> Applied:
        rows = [points([(number, 0.5)])]
        return store.apply(delivery(step=9, key=key(1, 4, number, 2), points=rows, **more))

    part(2)
    assert store.facts().writers["w"].mark == 0
    applied = part(2, backlog=Backlog(5, 6, 7.0), losses={"disk": 2})
    assert (applied.repeats, applied.points_known) == (1, 0)
    writer = store.facts().writers["w"]
    assert (writer.backlog_rows, writer.backlog_bytes, writer.backlog_oldest_s) == (5, 6, 7.0)
    part(1)
    writer = store.facts().writers["w"]
    assert (writer.mark, writer.open, writer.losses, writer.backlog_rows) == (4, {}, {"disk": 2}, 0)
    store.apply(delivery(key=key(8, 9)))
    store.apply(delivery(key=key(6), repair=True), delivery(key=key(9, 12)))
    writer = store.facts().writers["w"]
    assert (writer.mark, writer.gaps, writer.overlaps) == (12, [(5, 5), (7, 7)], 1)


def test_images_and_snapshots(store: Store) -> None:
    def picture(step: int, content: bytes) -> Picture:
        return Picture(path="i.png", step=step, content=content, media_type="image/png")

    def snapshot(rows: bytes) -> Snapshot:
        return Snapshot(path="roc.json", rows=rows, props={"x": "fpr"})

    first = delivery(
        step=3, pictures=[picture(3, b"a"), picture(4, b"a"), picture(4, b"b")], snapshots=[snapshot(b"[3]")]
    )
    assert store.apply(first).changes[0].plots == ["i.png", "roc.json"]
    assert store.apply(first).changes == []
    assert len(store.ask("SELECT * FROM image")) == 3
    assert {store.blobs.path(name).read_bytes() for (name,) in store.ask("SELECT sha256 FROM image")} == {b"a", b"b"}
    store.apply(delivery(step=2, snapshots=[snapshot(b"[2]")]), delivery("done", snapshots=[snapshot(b"[9]")]))
    assert store.ask("SELECT content, props FROM plot") == [(b"[9]", b'{"x":"fpr"}')]
    store.apply(delivery(step=5, snapshots=[snapshot(b"[5]")]))
    assert store.ask("SELECT content FROM plot") == [(b"[9]",)]


def test_properties_of_a_series_are_kept_beside_it(store: Store) -> None:
    titled = delivery(step=1, points=[points([(1, 1)])], plot_props={"loss": {"title": "Loss"}})
    assert store.apply(titled).changes[0].plots == ["loss"]
    store.reopen()
    assert store.apply(titled).changes == []
    assert store.ask("SELECT path, props, content FROM plot") == [("loss", b'{"title":"Loss"}', None)]


def test_beats_are_noted_at_experiments_that_are_known(store: Store) -> None:
    beats = [
        Beat(identity=identity(name), writer="w", received_us=NOW_US + 7, backlog=Backlog(1, 2, 3.0))
        for name in ("tried-tang", "nobody")
    ]
    store.apply(delivery(step=1))
    applied = store.writer.beat(beats)
    assert applied.experiments == [1, 0]
    assert [change.kind for change in applied.changes] == ["facts"]
    assert store.facts().writers["w"].beat_us == NOW_US + 7
    assert store.writer.beat(beats).changes == [], "nothing but that it lives"
    assert store.ask("SELECT updated_us FROM experiment") == [(NOW_US,)]


def test_many_writers_are_bounded_and_what_they_lost_is_kept(store: Store) -> None:
    store.apply(*[delivery(at_s=n * 60, key=key(2, writer=f"w{n}"), losses={"disk": 1}) for n in range(500)])
    writers = store.facts().writers
    assert len(writers) == 200
    assert "w499" in writers
    assert sum(writer.losses["disk"] for writer in writers.values()) == 500
    assert sum(len(writer.gaps) for writer in writers.values()) == 500


def test_a_deleted_experiment_still_takes_data_and_comes_back(store: Store) -> None:
    store.apply(delivery("start"))
    assert [change.kind for change in store.writer.set_deleted([1, 1, 9], deleted=True, time_us=NOW_US)] == ["deleted"]
    assert store.writer.set_deleted([1], deleted=True, time_us=NOW_US) == []
    store.apply(delivery(step=1, points=[points([(1, 1)])]))
    assert store.ask("SELECT deleted_us FROM experiment") == [(NOW_US,)]
    assert len(store.rows()) == 1
    assert [change.kind for change in store.writer.set_deleted([1], deleted=False, time_us=NOW_US)] == ["restored"]
    assert store.ask("SELECT deleted_us FROM experiment") == [(None,)]
    assert store.log() == ["started", "deleted", "restored"]


def test_as_many_writers_as_write_at_once_are_told_apart(store: Store) -> None:
    writers = [f"rank{n}" for n in range(300)]
    for event in range(1, 4):
        news = [delivery(at_s=event * 60, key=key(event, writer=name), losses={"disk": 1}) for name in writers]
        assert store.apply(*news, *news).repeats == len(writers)

    truth = status.delivery(store.facts())

    assert (truth.writers, truth.missing_events, truth.losses) == (300, 0, {"disk": 300})


def test_of_very_many_series_a_few_are_kept_in_mind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MAX_LOADED", 3)
    monkeypatch.setattr(state, "MAX_SERIES", 6)
    for step in range(300):
        paths = ["p0", "p1", f"p{step % 20 + 2}"]
        row = (step if step % 7 else step // 2, step / 2, 1_000 + step)
        update: Any = {"points": [points([row], path) for path in paths], "plot_props": {paths[2]: {"title": "t"}}}
        assert store.apply(delivery(step=step, **update)).points_new == 3
        assert store.apply(delivery(step=step, **update)).points_new == 0
        if step % 50 == 49:
            store.reopen()

    assert store.ask("SELECT count(*) FROM series") == [(22,)]
    assert store.rollups() == expected_rollups(store.rows())


def test_projects_come_by_themselves_once_and_are_defined_once(store: Store) -> None:
    applied = store.apply(delivery("start"), delivery("start", of=identity("two")))
    assert [(change.experiment, change.kind) for change in applied.changes] == [
        (1, "facts"),
        (2, "facts"),
        (0, "project"),
    ]
    assert store.ask("SELECT name, repository, automatic FROM project") == [("o/r", "github.com/o/r", 1)]
    project = Project(id=0, name="mine", repository="github.com/o/r", repo_url="u", subdir="sub", automatic=False)
    added = store.writer.add_project(project)
    with pytest.raises(ProjectExistsError, match="'sub'"):
        store.writer.add_project(project)
    assert store.writer.drop_project(added.id)
    assert not store.writer.drop_project(added.id)
    assert store.ask("SELECT kind FROM change ORDER BY seq")[2:] == [("project",)] * 3


def test_an_experiment_that_no_project_shows_brings_one(store: Store) -> None:
    mine = Project(id=0, name="a", repository="github.com/o/r", repo_url="u", subdir="a", automatic=False)
    store.writer.add_project(mine)
    store.apply(delivery("start", subdir="a"))
    assert store.ask("SELECT name FROM project") == [("a",)]

    store.apply(delivery("start", subdir="b", of=identity("two")), delivery("start", subdir="c", of=identity("three")))

    assert store.ask("SELECT name, subdir, automatic FROM project") == [("a", "a", 0), ("o/r", "", 1)]


def test_references_are_noted_at_the_experiments_they_mean(store: Store) -> None:
    store.apply(delivery("start"))
    reference = f"refs/exps/aa/{'a' * 38}/tried-tang"
    pushed = [reference, "refs/heads/main", f"refs/exps/bb/{'b' * 38}/other"]
    assert len(store.writer.note_references("github.com/o/r", pushed, [], NOW_US)) == 1
    assert store.writer.note_references("github.com/o/r", pushed, [], NOW_US) == []
    assert store.facts().references == [reference]
    store.writer.note_references("github.com/o/r", [], pushed, NOW_US)
    assert store.facts().references == []
    assert store.log() == ["started", "pushed", "pushed"]


def test_changes_hold_the_leaves_that_changed_and_at_most_one_entry_an_experiment(store: Store) -> None:
    metrics = [{METRICS: {"a": 1, "b": {"c": step}}} for step in range(3)]
    first = store.apply(*[delivery(step=step, metrics=each) for step, each in enumerate(metrics)])
    (change, _) = first.changes
    assert (change.kind, change.step, change.metrics) == ("data", 2, metrics[2])
    (change,) = store.apply(delivery(step=3, metrics={METRICS: {"a": 1, "b": {"c": 9}}})).changes
    assert (change.seq, change.metrics) == (3, {METRICS: {"b": {"c": 9}}})


def test_the_change_log_is_pruned_and_its_numbers_go_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "KEPT_CHANGES", 10)
    monkeypatch.setattr(changes, "PRUNE_EVERY", 5)
    for step in range(40):
        store.apply(delivery(step=step))
    ((count, first, last),) = store.ask("SELECT count(*), min(seq), max(seq) FROM change")
    assert last == 41
    assert 10 <= count <= 15
    assert first == last - count + 1


def test_nothing_is_a_transaction_too(store: Store) -> None:
    assert store.apply().changes == []
    assert store.writer.beat([]).experiments == []
