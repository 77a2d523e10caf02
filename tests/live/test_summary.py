from __future__ import annotations

import copy
import json
import logging
import math
import os
from collections import OrderedDict
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvclive.plots.utils import NumpyEncoder
from dvclive.serialize import dump_json
from funcy import set_in  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.live.error import InvalidNameError
from livestream.live.metrics import parts_of
from livestream.live.summary import SummaryFile, check_place, place, to_text


class Count(IntEnum):
    THREE = 3


scalars = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.booleans()
    | st.text()
    | st.none()
    | st.sampled_from([kind(3) for kind in (np.int8, np.uint64, np.intp, np.float16, np.float32, np.float64)])
    | st.floats(width=32, allow_nan=False, allow_infinity=False).map(np.float32)
    | st.just(Count.THREE)
)
keys = st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
summaries = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda below: st.lists(below, max_size=3) | st.tuples(below) | st.dictionaries(keys, below, max_size=4),
        max_leaves=8,
    ),
    max_size=6,
)


def write_theirs(summary: Any, path: Path) -> None:
    dump_json(summary, path, cls=NumpyEncoder)  # type: ignore[no-untyped-call]


def theirs(summary: Any) -> str:
    return json.dumps(summary, indent=4, cls=NumpyEncoder) + "\n"


# -- places


@given(st.lists(st.tuples(st.sampled_from(["a", "a/b", "a/b/c", "b", "b//c", "./d", "step"]), st.integers())))
@settings(deadline=None)
def test_values_have_the_places_that_dvclive_gives_them(logged: list[tuple[str, int]]) -> None:
    ours: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    for name, value in logged:
        parts = parts_of(name)
        try:
            check_place(ours, parts)
        except InvalidNameError:
            before = copy.deepcopy(expected)
            try:
                expected = set_in(expected, list(parts), value)
            except AttributeError:
                expected = before
            else:  # DVCLive forgets what is below
                assert expected != before
                expected = before
            continue
        place(ours, parts, value)
        expected = set_in(expected, list(parts), value)
        assert json.dumps(ours) == json.dumps(expected)


@pytest.mark.parametrize(
    ("taken", "name", "problem"),
    [
        ({"a": 1.0}, "a/b", "'a' is a metric already, so nothing can be below it"),
        ({"a": {"b": "text"}}, "a/b/c/d", "'a/b' is a metric already, so nothing can be below it"),
        ({"a": {"b": 1}}, "a", "there are metrics below 'a' already, so it cannot be one"),
        ({"a": {"b": {}}}, "a/b", "there are metrics below 'a/b' already, so it cannot be one"),
        ({}, "step/loss", "'step' is the step itself, so nothing can be below it"),
    ],
)
def test_a_metric_in_the_way_of_another_is_a_clear_error(taken: dict[str, Any], name: str, problem: str) -> None:
    before = copy.deepcopy(taken)
    with pytest.raises(InvalidNameError) as caught:
        check_place(taken, parts_of(name))
    assert str(caught.value) == problem
    assert taken == before


def test_what_came_in_the_way_after_the_check_is_the_same_error() -> None:
    summary: dict[str, Any] = {}
    check_place(summary, ("a", "b"))
    summary["a"] = 1
    with pytest.raises(InvalidNameError, match="'a' is a metric already"):
        place(summary, ("a", "b"), 2)
    assert summary == {"a": 1}


def test_a_place_costs_its_depth_and_copies_nothing() -> None:
    summary: dict[str, Any] = {"a": {"b": {"c": 1}}, "other": {}}
    levels = summary["a"], summary["a"]["b"], summary["other"]
    place(summary, ("a", "b", "d"), 2)
    assert (summary["a"], summary["a"]["b"], summary["other"]) == levels
    assert summary["a"]["b"] is levels[1]
    assert levels[1] == {"c": 1, "d": 2}


# -- text


@given(summaries)
@settings(deadline=None)
def test_the_text_is_dvclives_for_whatever_json_takes(summary: Any) -> None:
    assert to_text(summary) == theirs(summary)


@pytest.mark.parametrize("summary", [{}, {"a": {}}, {"a": []}, OrderedDict(b=1, a=2), {"a": OrderedDict(b=(1, 2))}])
def test_what_is_empty_or_ordered_is_written_as_dvclive_does(summary: Any) -> None:
    assert to_text(summary) == theirs(summary)


@pytest.mark.parametrize("kind", [float, np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("text", "wanted"), [("nan", "nan"), ("inf", "inf"), ("-inf", "-inf")])
def test_numbers_that_json_has_not_are_texts(kind: Any, text: str, wanted: str) -> None:
    value = kind(text)
    assert json.loads(to_text({"a": value, "b": {"c": value}})) == {"a": wanted, "b": {"c": wanted}}
    assert json.loads(to_text({"a": [value, 1, (value,)]})) == {"a": [wanted, 1, [wanted]]}
    keyed: dict[Any, Any] = {"a": [1], float(value): 2}
    assert json.loads(to_text(keyed)) == {"a": [1], wanted: 2}


@pytest.mark.parametrize("value", [1j, object(), {1}, np.zeros(2), np.bool_(1), b"a"])
def test_what_json_cannot_hold_is_the_error_that_it_is_in_dvclive(value: Any) -> None:
    with pytest.raises(TypeError) as expected:
        theirs({"a": value})
    with pytest.raises(TypeError) as caught:
        to_text({"a": value})
    assert str(caught.value) == str(expected.value)


def test_a_summary_that_holds_itself_is_an_error() -> None:
    summary: dict[str, Any] = {}
    summary["a"] = summary
    with pytest.raises(ValueError, match="Circular"):
        to_text(summary)


# -- file


def test_the_file_is_written_when_its_content_changed_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "dvclive" / "metrics.json"
    file = SummaryFile(str(path))
    summary: dict[str, Any] = {"loss": np.float32(0.1), "train": {"acc": math.pi}}
    for step in range(3):
        summary["step"] = step
        assert [file.write(summary) for _ in range(3)] == [True, False, False]
        write_theirs(summary, tmp_path / "theirs.json")
        assert path.read_bytes() == (tmp_path / "theirs.json").read_bytes()


def test_the_file_is_written_again_where_somebody_changed_or_removed_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    file = SummaryFile(str(path))
    file.write({"a": 1})
    wanted = path.read_bytes()
    for change in (path.unlink, lambda: path.write_text("{}"), lambda: os.utime(path, ns=(1, 1))):
        change()
        assert [file.write({"a": 1}) for _ in range(2)] == [True, False]
        assert path.read_bytes() == wanted


def test_a_disk_that_refuses_the_file_is_said_once_and_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.json"
    path.mkdir()
    file = SummaryFile(str(path))
    assert [file.write({"a": 1}) for _ in range(3)] == [False] * 3
    path.rmdir()
    assert [file.write({"a": 1}) for _ in range(2)] == [True, False]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "livestream.live_file_not_written")
    ]
