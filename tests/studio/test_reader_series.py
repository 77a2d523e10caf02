from __future__ import annotations

import random

import pytest
from reader_cases import Filled, as_json, newest, random_rows, summary

from livestream.studio.store.sqlite.reader import SqliteReader
from livestream.studio.store.sqlite.summaries import series_names

FOLDER = "dvclive/plots/metrics/"


@pytest.mark.parametrize("seed", range(20))
def test_summaries_are_what_plain_python_computes_from_the_rows(
    seed: int, filled: Filled, reader: SqliteReader
) -> None:
    series = filled.add_series()
    points = newest(filled.add_rows(series, random_rows(random.Random(seed))))
    (found,) = reader.series(1)
    assert found == reader.one_series(series)
    if not points:
        assert (found.count, found.first_step, found.last_step, found.last) == (0, None, None, None)
        assert (found.minimum, found.maximum) == (None, None)
        return
    last_step, last, _, minimum, maximum, count = summary(points)
    assert (found.count, found.first_step, found.last_step) == (count, points[0][0], last_step)
    assert (found.last, found.minimum, found.maximum) == (last, minimum, maximum)


def test_series_come_by_path_and_column_with_the_props_of_their_plot(filled: Filled, reader: SqliteReader) -> None:
    for path, column in [("b.tsv", "x"), ("a.tsv", "y"), ("a.tsv", "x")]:
        filled.add_series(1, path, column)
    filled.add_series(2, "a.tsv", "x")
    filled.insert("plot", experiment=1, path="a.tsv", props=as_json({"title": "A"}), session=1, step=0, received_us=1)
    found = reader.series(1)
    assert [(one.path, one.column) for one in found] == [("a.tsv", "x"), ("a.tsv", "y"), ("b.tsv", "x")]
    assert [one.props for one in found] == [{"title": "A"}, {"title": "A"}, {}]
    assert [one.experiment for one in found] == [1, 1, 1]
    assert reader.series(3) == []
    assert reader.one_series(99) is None


def test_a_series_has_one_name_wherever_it_is_read(filled: Filled, reader: SqliteReader) -> None:
    for folder in ("", "a/", "b/"):
        filled.add_series(1, f"{folder}{FOLDER}loss.tsv", "loss")
    filled.add_series(1, f"{FOLDER}acc.tsv", "acc")
    for one in reader.series(1):
        assert reader.one_series(one.id) == one
    assert sorted(one.name for one in reader.series(1)) == [
        "a/dvclive/plots/metrics/loss.tsv:loss",
        "acc",
        "b/dvclive/plots/metrics/loss.tsv:loss",
        "dvclive/plots/metrics/loss.tsv:loss",
    ]


@pytest.mark.parametrize(
    ("path", "column", "name"),
    [
        (f"{FOLDER}train/loss.tsv", "loss", "train/loss"),
        (f"{FOLDER}loss.tsv", "loss", "loss"),
        ("plots/metrics/a/b/c.tsv", "c", "a/b/c"),
        ("deep/er/plots/metrics/a.tsv", "a", "a"),
        (f"{FOLDER}timestamp.tsv", "value", "timestamp"),
        (f"{FOLDER}x/step.tsv", "x/step", "x/step"),
        (f"{FOLDER}train/loss.tsv", "value", f"{FOLDER}train/loss.tsv:value"),
        (f"{FOLDER}train/loss.tsv", "other", f"{FOLDER}train/loss.tsv:other"),
        ("own.csv", "own", "own.csv:own"),
        ("myplots/metrics/loss.tsv", "loss", "myplots/metrics/loss.tsv:loss"),
    ],
)
def test_names_are_those_people_know(path: str, column: str, name: str) -> None:
    assert series_names([(path, column)]) == {(path, column): name}


def test_no_two_series_of_an_experiment_share_a_name() -> None:
    columns = [
        (f"a/{FOLDER}x.tsv", "x"),
        (f"b/{FOLDER}x.tsv", "x"),
        (f"{FOLDER}a.csv:b.tsv", "b"),
        ("a.csv", "b"),
        (f"{FOLDER}a.csv:b", "a.csv:b"),
        (f"{FOLDER}y.tsv", "y"),
    ]
    names = series_names(columns)
    assert len(set(names.values())) == len(columns)
    assert names[f"{FOLDER}y.tsv", "y"] == "y"
