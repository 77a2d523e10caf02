from __future__ import annotations

import copy
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_cases import (
    DATA,
    METRICS,
    OURS,
    PROFILES,
    QUEUES,
    SHORT_DATA,
    SOURCE,
    STOCK,
    data,
    records,
    update_of,
    updates_of,
)

from livestream.events import Data, Done, Files, Image, JsonObject, Plot, Problem, Record, Scalar, Start
from livestream.pipeline.coalesce import ExperimentState, Profile, Source, Update, coalesce, extent
from livestream.pipeline.merge import nest

PNG = Image(format="png", size=3, data="aGk=")


def rows(update: Update, path: str) -> list[JsonObject]:
    return [json.loads(row) for row in update.series[path].rows]


def own_metrics(update: Update) -> JsonObject:
    whole: JsonObject = update.metrics["dvclive/metrics.json"]["data"]
    return whole


def naive(whole: JsonObject, metrics: dict[str, Scalar]) -> JsonObject:
    """What DVCLive's nested summary holds after one event, slowly."""
    whole = copy.deepcopy(whole)
    for name, value in metrics.items():
        *levels, last = name.split("/")
        level = whole
        for key in levels:
            if not isinstance(level.get(key), dict):
                level[key] = {}
            level = level[key]
        level[last] = value
    return whole


def test_one_event_becomes_the_files_that_dvclive_writes() -> None:
    event = data(
        7,
        metrics={"loss": 0.5, "train/acc": 1},
        params={"lr": 0.1},
        images={"samples/1.png": PNG},
        plots={"curve": {"rows": [{"x": 1}], "props": {"x": "x"}}},
        timestamp=1_700_000_000_000,
    )

    update = update_of(event, profile=OURS)

    assert update.kind == "data"
    assert update.details == {"step": 7}
    assert update.metrics == {"dvclive/metrics.json": {"data": {"loss": 0.5, "train": {"acc": 1}, "step": 7}}}
    assert update.params == {"dvclive/params.yaml": {"lr": 0.1}}
    assert update.series["dvclive/plots/metrics/loss.tsv"].rows == [
        b'{"timestamp":1700000000000,"step":7,"loss":0.5}',
    ]
    assert rows(update, "dvclive/plots/metrics/train/acc.tsv") == [
        {"timestamp": 1_700_000_000_000, "step": 7, "acc": 1}
    ]
    assert update.images["dvclive/plots/images/samples/1.png"].step == 7
    assert update.snapshots["dvclive/plots/custom/curve.json"].item == {"data": [{"x": 1}], "props": {"x": "x"}}


def test_the_prefix_stands_before_every_metric_image_and_plot_name() -> None:
    source = msgspec.structs.replace(SOURCE, metric_prefix="rank3")
    event = data(1, metrics={"loss": 0.5}, images={"x.png": PNG}, plots={"p": {"rows": []}}, params={"lr": 1})

    update = coalesce(records(event), ExperimentState(), source, OURS)

    assert own_metrics(update) == {"rank3": {"loss": 0.5}, "step": 1}
    assert rows(update, "dvclive/plots/metrics/rank3/loss.tsv") == [{"step": 1, "loss": 0.5}]
    assert list(update.images) == ["dvclive/plots/images/rank3/x.png"]
    assert list(update.snapshots) == ["dvclive/plots/custom/rank3/p.json"]
    assert update.params == {"dvclive/params.yaml": {"lr": 1}}


def test_an_empty_directory_puts_the_files_at_the_top() -> None:
    source = msgspec.structs.replace(SOURCE, directory="")

    update = coalesce(records(data(metrics={"loss": 1})), ExperimentState(), source, STOCK)

    assert list(update.metrics) == ["metrics.json"]
    assert list(update.series) == ["plots/metrics/loss.tsv"]


def test_several_rows_of_one_step_all_stay() -> None:
    update = update_of(data(3, metrics={"loss": 1}), data(3, metrics={"loss": 2}), data(2, metrics={"loss": 3}))

    path = "dvclive/plots/metrics/loss.tsv"
    assert rows(update, path) == [{"step": 3, "loss": 1}, {"step": 3, "loss": 2}, {"step": 2, "loss": 3}]
    assert update.series[path].seqs == [1, 2, 3]
    assert own_metrics(update) == {"loss": 3, "step": 3}


def test_only_numbers_and_the_texts_of_numbers_are_rows() -> None:
    event = data(metrics={"a": "nan", "b": "-inf", "c": "inf", "flag": True, "phase": "warm-up"})

    update = update_of(event)

    assert sorted(path[-5] for path in update.series) == ["a", "b", "c"]
    assert rows(update, "dvclive/plots/metrics/b.tsv") == [{"step": 0, "b": "-inf"}]
    assert own_metrics(update)["flag"] is True
    assert own_metrics(update)["phase"] == "warm-up"


@pytest.mark.parametrize(
    ("name", "column"),
    [("a/step", "a/step"), ("step", "value"), ("timestamp", "value"), ("a/timestamp", "a/timestamp"), ("a/", "")],
)
def test_a_metric_called_like_the_axis_does_not_hide_it(name: str, column: str) -> None:
    update = update_of(data(4, metrics={name: 0.5}))

    assert rows(update, f"dvclive/plots/metrics/{name}.tsv") == [{"step": 4, column: 0.5}]
    assert own_metrics(update)["step"] == 4


def test_integers_over_64_bits_pass() -> None:
    update = update_of(data(metrics={"n": 2**70}))

    assert rows(update, "dvclive/plots/metrics/n.tsv") == [{"step": 0, "n": 2**70}]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([{"a": 1}, {"a/b": 2}], {"a": {"b": 2}}),
        ([{"a/b": 1}, {"a": 2}], {"a": 2}),
        ([{"a": 1}, {"a/b": 2}, {"a": 3}], {"a": 3}),
        ([{"a/b": 1}, {"a": 2}, {"a/c": 3}], {"a": {"c": 3}}),
        ([{"a/b/c": 1}, {"a/d": 2}, {"a/b": 3}, {"a/b/e": 4}], {"a": {"b": {"e": 4}, "d": 2}}),
    ],
)
def test_a_scalar_in_the_way_of_a_nested_name_is_replaced(events: list[JsonObject], expected: JsonObject) -> None:
    together = update_of(*(data(metrics=metrics) for metrics in events))
    apart = updates_of(records(*(data(metrics=metrics) for metrics in events)), STOCK, 1)[-1]

    assert own_metrics(together) == own_metrics(apart) == expected | {"step": 0}


@given(whole=st.lists(METRICS, max_size=3), deltas=METRICS)
def test_nesting_is_what_dvclive_does_and_leaves_the_old_dictionary_alone(
    whole: list[dict[str, Scalar]], deltas: dict[str, Scalar]
) -> None:
    old: JsonObject = {}
    for metrics in whole:
        old = naive(old, metrics)
    before = copy.deepcopy(old)

    assert nest(old, deltas) == naive(old, deltas)
    assert old == before


def test_a_name_of_a_thousand_levels_is_sent() -> None:
    update = update_of(data(metrics={"a/" * 5000 + "loss": 1}))

    assert len(json.dumps(own_metrics(update))) > 10_000


@given(queue=st.lists(SHORT_DATA, min_size=1, max_size=8))
def test_every_number_is_a_row_once_and_in_order(queue: list[Data]) -> None:
    update = update_of(*queue)

    got = {path: [(row["step"], *row.values()) for row in rows(update, path)] for path in update.series}
    wanted: dict[str, list[tuple[Scalar, ...]]] = {}
    for event in queue:
        for name, value in event.metrics.items():
            if not isinstance(value, bool) and (not isinstance(value, str) or value in {"nan", "inf", "-inf"}):
                path = f"dvclive/plots/metrics/{name}.tsv"
                wanted.setdefault(path, []).append((event.step, event.step, value))
    assert got == wanted


@given(queue=st.lists(SHORT_DATA, min_size=1, max_size=8))
def test_the_merged_dictionaries_are_those_of_one_event_after_the_other(queue: list[Data]) -> None:
    update = update_of(*queue)

    metrics: JsonObject = {}
    params: JsonObject = {}
    for event in queue:
        metrics = naive(metrics, event.metrics)
        params = params | event.params
    metrics["step"] = max(event.step for event in queue)
    assert own_metrics(update) == metrics
    assert update.params.get("dvclive/params.yaml", {}) == params


@given(queue=st.lists(DATA, min_size=1, max_size=8), cut=st.integers(1, 8), profile=PROFILES)
def test_rows_and_dictionaries_do_not_depend_on_where_updates_are_cut(
    queue: list[Data], cut: int, profile: Profile
) -> None:
    apart = updates_of(records(*queue), profile, cut)
    together = updates_of(records(*queue), Profile(live_plots=profile.live_plots))

    def all_rows(updates: list[Update]) -> dict[str, list[bytes]]:
        merged: dict[str, list[bytes]] = {}
        for update in updates:
            for path, series in update.series.items():
                merged.setdefault(path, []).extend(series.rows)
        return merged

    def all_metrics(update: Update) -> dict[str, JsonObject]:
        # The step is each update's own highest, so it alone depends on the cut.
        return {path: {**whole, "step": None} for path, whole in update.state.metrics.items()}

    assert all_rows(apart) == all_rows(together)
    assert all_metrics(apart[-1]) == all_metrics(together[-1])
    assert apart[-1].state.params == together[-1].state.params
    assert apart[-1].state.snapshots == together[-1].state.snapshots


@given(queue=QUEUES, profile=PROFILES)
def test_nothing_that_is_passed_in_is_changed(queue: list[Record], profile: Profile) -> None:
    state = ExperimentState()
    at = 0
    while at < len(queue):
        count = extent(queue[at:], profile, 5)
        before = copy.deepcopy((queue, state))
        update = coalesce(queue[at : at + count], state, SOURCE, profile)
        assert (queue, state) == before
        state, at = update.state, at + count


@given(queue=QUEUES, profile=PROFILES, max_events=st.integers(1, 5))
def test_extents_cut_a_queue_into_starts_dones_and_runs_of_data(
    queue: list[Record], profile: Profile, max_events: int
) -> None:
    updates = updates_of(queue, profile, max_events)

    assert [update.first for update in updates] == [1, *(update.last + 1 for update in updates[:-1])]
    assert updates[-1].last == len(queue)
    for update in updates:
        events = [record.event for record in queue[update.first - 1 : update.last]]
        assert len(events) <= max_events
        assert len(events) == 1 or all(isinstance(event, Data) for event in events)
        if profile.image_history:
            images = [name for event in events if isinstance(event, Data) for name in event.images]
            assert len(images) == len(set(images))


def test_an_empty_queue_has_no_update() -> None:
    assert extent([], STOCK, 10) == 0
    with pytest.raises(ValueError, match="extent"):
        coalesce([], ExperimentState(), SOURCE, STOCK)


def test_mixed_kinds_are_no_update() -> None:
    with pytest.raises(ValueError, match="extent"):
        coalesce(records(Start(time=0), data()), ExperimentState(), SOURCE, STOCK)


def test_without_image_history_the_newest_image_wins_and_the_older_is_counted() -> None:
    old, new = (msgspec.structs.replace(PNG, size=size) for size in (1, 2))

    update = update_of(data(1, images={"x.png": old}), data(2, images={"x.png": new}))

    item = update.images["dvclive/plots/images/x.png"]
    assert (item.image, item.step, item.seq) == (new, 2, 2)
    assert update.superseded == 1


def test_with_image_history_an_update_closes_before_a_second_image_of_a_path() -> None:
    queue = records(data(1, images={"x.png": PNG}), data(2, images={"y.png": PNG}), data(3, images={"x.png": PNG}))

    assert extent(queue, OURS, 10) == 2
    assert extent(queue, STOCK, 10) == 3
    assert sum(update.superseded for update in updates_of(queue, OURS)) == 0


def test_an_update_closes_before_events_that_are_missing_so_that_the_gap_is_told() -> None:
    queue = records(data(1), data(2), data(3), data(4))

    del queue[1]

    assert [(update.first, update.last) for update in updates_of(queue, OURS)] == [(1, 1), (3, 4)]


def test_with_image_history_a_stock_file_of_the_same_path_closes_the_update_too() -> None:
    stock = Files(plots={"dvclive/plots/images/x.png": {"image": "aGk="}})

    assert extent(records(data(1, images={"x.png": PNG}), data(2, files=stock)), OURS, 10) == 1


def test_an_image_and_a_stock_file_of_one_path_replace_each_other() -> None:
    path = "dvclive/plots/images/x.png"
    stock = data(2, files=Files(plots={path: {"image": "aGk="}}))

    newer_file = update_of(data(1, images={"x.png": PNG}), stock)
    newer_image = update_of(stock, data(3, images={"x.png": PNG}))

    assert (list(newer_file.images), list(newer_file.snapshots)) == ([], [path])
    assert (list(newer_image.images), list(newer_image.snapshots)) == ([path], [])
    assert newer_file.superseded == newer_image.superseded == 1


def test_custom_plots_wait_for_done_where_the_studio_shows_no_live_ones() -> None:
    first, second, end = updates_of(
        records(
            data(1, plots={"p": {"rows": [{"v": 1}]}}),
            Start(time=0),
            Done(time=0),
        ),
        STOCK,
    )

    assert first.snapshots == second.snapshots == {}
    assert first.state.snapshots == {"dvclive/plots/custom/p.json": Plot(rows=[{"v": 1}])}
    assert end.snapshots["dvclive/plots/custom/p.json"].item == {"data": [{"v": 1}]}
    assert end.state.snapshots == {}
    assert end.step == 1


def test_of_the_plots_that_wait_the_newest_is_kept_and_the_older_counted() -> None:
    queue = records(*(data(n, plots={"p": {"rows": [{"v": n}]}}) for n in range(3)))

    updates = updates_of(queue, STOCK, 2)

    assert [update.superseded for update in updates] == [1, 1]
    assert updates[-1].state.snapshots["dvclive/plots/custom/p.json"].rows == [{"v": 2}]


def test_plots_that_waited_are_sent_once_the_studio_shows_live_ones() -> None:
    waited = update_of(data(1, plots={"p": {"rows": []}})).state

    update = update_of(data(2), state=waited, profile=OURS)

    assert list(update.snapshots) == ["dvclive/plots/custom/p.json"]
    assert update.state.snapshots == {}


def test_a_plot_that_comes_after_done_does_not_wait_for_another() -> None:
    update = update_of(data(2, plots={"p": {"rows": []}}), state=ExperimentState(done=True))

    assert list(update.snapshots) == ["dvclive/plots/custom/p.json"]
    assert update.state.done is True


def test_start_carries_its_message_cut_as_the_stock_client_cuts_it() -> None:
    event = Start(time=0, message="m" * 100, subdir="sub", params={"lr": 1}, machine={"cpu": 4})

    update = update_of(event, state=ExperimentState(done=True, metrics={"m.json": {"a": 1}}, params={"p.yaml": {}}))

    assert update.kind == "start"
    assert update.details == {"message": "m" * 72, "subdir": "sub"}
    assert update.params == {"dvclive/params.yaml": {"lr": 1}}
    assert update.metrics == {}
    assert update.machine == {"cpu": 4}
    assert (update.state.started, update.state.done) == (True, False)


def test_done_carries_its_errors_and_revision() -> None:
    event = Done(time=0, errors=[Problem("ValueError", "no")], experiment_rev="b" * 40)

    update = update_of(event, state=ExperimentState(step=9, started=True))

    assert update.kind == "done"
    assert update.details == {"experiment_rev": "b" * 40}
    assert update.errors == [{"cls": "ValueError", "text": "no"}]
    assert (update.state.started, update.state.done, update.state.step) == (True, True, 9)


def test_empty_details_are_left_out() -> None:
    assert update_of(Start(time=0, message="", subdir="")).details == {}
    assert update_of(Done(time=0)).details == {}


def test_every_update_of_data_carries_all_that_is_known() -> None:
    state = update_of(data(1, metrics={"loss": 1}, params={"lr": 1})).state

    update = update_of(data(2, metrics={"acc": 2}), state=state)

    assert own_metrics(update) == {"loss": 1, "acc": 2, "step": 2}
    assert update.params == {"dvclive/params.yaml": {"lr": 1}}


def test_machine_facts_merge_the_newest_first() -> None:
    assert update_of(data(machine={"cpu": 1, "gpu": 1}), data(machine={"cpu": 2})).machine == {"cpu": 2, "gpu": 1}


def test_the_state_is_the_same_after_a_night_in_the_database() -> None:
    state = update_of(data(3, metrics={"a/b": 1}, params={"p": [1]}, plots={"p": {"rows": [{"v": 1}]}})).state

    assert msgspec.json.decode(msgspec.json.encode(state), type=ExperimentState) == state


def test_the_body_names_the_experiment_and_its_client() -> None:
    source = Source(writer="w", repo_url="r", baseline_sha="c" * 40, name="n", client="mine")

    update = coalesce(records(data()), ExperimentState(), source, STOCK)

    assert update.identity == {"repo_url": "r", "baseline_sha": "c" * 40, "name": "n", "client": "mine"}
