from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pipeline_cases import data, update_of

from livestream.events import Files, JsonObject
from livestream.pipeline.coalesce import ExperimentState, Update

if TYPE_CHECKING:
    from livestream.events import Event


def rows(update: Update, path: str) -> list[JsonObject]:
    return [json.loads(row) for row in update.series[path].rows]


def own_metrics(update: Update) -> JsonObject:
    whole: JsonObject = update.metrics["dvclive/metrics.json"]["data"]
    return whole


def test_a_whole_metrics_file_replaces_its_dictionary_and_later_deltas_merge_into_it() -> None:
    whole = Files(metrics={"dvclive/metrics.json": {"data": {"only": 1}}})

    replaced = update_of(data(1, metrics={"old": 1}), data(2, files=whole))
    merged = update_of(data(1, metrics={"old": 1}), data(2, files=whole), data(3, metrics={"new": 2}))

    assert own_metrics(replaced) == {"only": 1}
    assert own_metrics(merged) == {"only": 1, "new": 2, "step": 3}
    assert rows(merged, "dvclive/plots/metrics/old.tsv") == [{"step": 1, "old": 1}]


def test_a_whole_params_file_replaces_its_dictionary_and_later_deltas_merge_into_it() -> None:
    whole = Files(params={"dvclive/params.yaml": {"only": 1}, "params.yaml": {"a": 1}})

    update = update_of(data(params={"old": 1}), data(files=whole), data(params={"new": 2}))

    assert update.params == {"dvclive/params.yaml": {"only": 1, "new": 2}, "params.yaml": {"a": 1}}


def test_the_error_of_a_metrics_file_travels_beside_what_is_known_of_it() -> None:
    error = {"cls": "OSError", "text": "gone"}
    state = ExperimentState(metrics={"m.json": {"a": 1}})

    update = update_of(data(files=Files(metrics={"m.json": {"error": error}, "n.json": {"error": error}})), state=state)

    assert update.metrics == {"m.json": {"data": {"a": 1}, "error": error}, "n.json": {"error": error}}
    assert update.state.metrics == {"m.json": {"a": 1}}


def stock_plots(*plots: JsonObject) -> list[Event]:
    return [data(step, files=Files(plots=files)) for step, files in enumerate(plots)]


def test_stock_rows_with_a_step_append() -> None:
    path = "dvclive/plots/metrics/loss.tsv"
    first = {"data": [{"step": 0, "loss": 1}], "props": {"x": "step"}}
    update = update_of(*stock_plots({path: first}, {path: {"data": [{"step": 1, "loss": 2}]}}))

    assert rows(update, path) == [{"step": 0, "loss": 1}, {"step": 1, "loss": 2}]
    assert update.series[path].seqs == [1, 2]
    assert update.series[path].extras == {"props": {"x": "step"}}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("plots/confusion.json", {"data": [{"actual": "cat"}]}, {"data": [{"actual": "dog"}]}),
        ("plots/mixed.json", {"data": [{"step": 1}, {"v": 1}]}, {"data": [{"step": True}]}),
        ("dvclive/plots/custom/c.json", {"data": [{"step": 1}]}, {"data": [{"step": 1}, {"step": 2}]}),
        ("plots/custom/c.json", {"data": [{"step": 1}]}, {"data": []}),
        ("x.png", {"image": "aGk="}, {"image": "aGkh"}),
        ("x.png", {"image": "aGk="}, {"error": {"cls": "OSError", "text": "gone"}}),
        ("x.tsv", {"error": {"cls": "A", "text": ""}}, {"data": [], "error": {"cls": "B", "text": ""}}),
    ],
)
def test_other_stock_plots_are_snapshots_of_which_the_newest_wins(path: str, old: JsonObject, new: JsonObject) -> None:
    update = update_of(*stock_plots({path: old}, {path: new}))

    assert update.series == {}
    assert update.snapshots[path].item == new
    assert update.snapshots[path].seq == 2
    assert update.superseded == 1


def test_a_stock_file_without_news_is_not_sent() -> None:
    update = update_of(*stock_plots({"dvclive/plots/metrics/loss.tsv": {"data": []}}))

    assert (update.series, update.snapshots) == ({}, {})
