from __future__ import annotations

import enum
import math
import pickle
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePosixPath

import numpy as np
import orjson
import pytest

from livestream import content
from livestream.content import MAX_NAME_LENGTH, Names
from livestream.errors import InvalidEventError
from livestream.events import Data, Json, encode


class Loss(enum.StrEnum):
    TRAIN = "train/loss"


class OldLoss(str, enum.Enum):  # noqa: UP042 - its str() is the member's name, unlike a StrEnum's
    TRAIN = "train/loss"


class Level(enum.IntEnum):
    HIGH = 7


class Tensor:
    """A one-element tensor, or one of many, as torch behaves."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def item(self) -> float:
        if len(self.values) != 1:
            raise RuntimeError(f"a Tensor with {len(self.values)} elements cannot be converted to Scalar")
        return self.values[0]


class Broken:
    """An object whose methods raise what nobody expects."""

    shape = (2,)

    def item(self) -> float:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")

    def tolist(self) -> list[float]:
        raise LookupError("gone")

    def __index__(self) -> int:
        raise BufferError("no")


def named(value: object) -> str:
    """Name a test after its value, without addresses: each worker of a parallel run has to collect the same names."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def metrics(values: object) -> Mapping[str, Json]:
    return content.metrics(values, Names())


def one(value: object) -> Json:
    return metrics({"m": value})["m"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (-(2**63), -(2**63)),
        (2**64 - 1, 2**64 - 1),
        (0.1, 0.1),
        (-0.0, -0.0),
        (True, True),
        ("text", "text"),
        ("", ""),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (np.float64("nan"), "nan"),
        (np.float32("-inf"), "-inf"),
        (np.array(float("inf")), "inf"),
        (np.float32(0.5), 0.5),
        (np.float16(0.5), 0.5),
        (np.longdouble(0.25), 0.25),
        (np.array([0.25], dtype=np.longdouble), 0.25),
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.array(3), 3),
        (np.array([3.5]), 3.5),
        (np.array([[7]]), 7),
        (Tensor(2.5), 2.5),
        (Tensor(math.nan), "nan"),
        (Level.HIGH, 7),
        (Loss.TRAIN, "train/loss"),
        (OldLoss.TRAIN, "train/loss"),
    ],
)
def test_a_metric_becomes_the_plain_value_it_stands_for(value: object, expected: object) -> None:
    plain = one(value)

    assert (plain, type(plain)) == (expected, type(expected))
    assert repr(plain) == repr(expected)  # -0.0 is not 0.0


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (None, "NoneType"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (1j, "complex"),
        (b"0.5", "bytes"),
        (Decimal("0.5"), "Decimal"),
        ([0.5], "list"),
        ({"nested": 0.5}, "dict"),
        (np.array([1, 2]), "numpy.ndarray"),
        (np.array([]), "numpy.ndarray"),
        (np.array([None]), "NoneType"),
        (np.complex64(1), "numpy.complex64"),
        (np.datetime64("2026-01-01"), "numpy.datetime64"),
        (Tensor(1, 2), "Tensor"),
        (Tensor(), "Tensor"),
        (Broken(), "Broken"),
        (object(), "object"),
        (math.sin, "builtin_function_or_method"),
        ("\ud800", "surrogates"),
    ],
    ids=named,
)
def test_what_is_no_metric_is_refused_by_its_key_and_type(value: object, named: str) -> None:
    with pytest.raises(InvalidEventError, match=named) as caught:
        metrics({"fine": 1, "train/loss": value})

    assert caught.value.field == "metrics['train/loss']"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("values", [5, [], "text", [("a", 1)], {1}, object()], ids=named)
def test_metrics_that_are_no_dict_are_refused(values: object) -> None:
    with pytest.raises(InvalidEventError, match=type(values).__name__) as caught:
        metrics(values)

    assert caught.value.field == "metrics"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a\\b",
        "a\nb",
        "a\0",
        "\ud800",
        "step",
        "x" * 501,
        5,
        None,
        (),
    ],
    ids=named,
)
def test_a_name_that_no_folder_could_hold_is_refused(name: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        metrics({name: 1})

    assert caught.value.field == f"metrics[{name!r}]"


@pytest.mark.parametrize(
    "name", ["loss", "a.b", "train/loss", "é/ü", "a b", "step/x", "-", "x" * MAX_NAME_LENGTH, "..."]
)
def test_a_name_that_a_folder_can_hold_is_taken(name: str) -> None:
    assert metrics({name: 1}) == {name: 1}


@pytest.mark.parametrize("key", [Loss.TRAIN, OldLoss.TRAIN, np.str_("train/loss")], ids=lambda key: type(key).__name__)
def test_a_name_that_is_more_than_a_str_is_stored_as_one(key: str) -> None:
    names = Names()
    for _ in range(2):
        plain = content.metrics({key: 1}, names)
        assert orjson.dumps(plain) == b'{"train/loss":1}'
    assert encode(Data(time=0.0, step=0, plots=content.plots({key: [{key: 1}]}), params=content.params({key: key})))


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b"), ("a", "a/b/c")])
def test_a_metric_is_never_both_a_leaf_and_a_branch(first: str, second: str) -> None:
    names = Names()
    content.metrics({first: 1}, names)
    for values in ({second: 1}, {"other": 1, second: 1}):
        with pytest.raises(InvalidEventError, match="already") as caught:
            content.metrics(values, names)
        assert caught.value.field == f"metrics[{second!r}]"
    with pytest.raises(InvalidEventError, match="already"):
        metrics({first: 1, second: 1})


def test_a_refused_event_leaves_its_names_free() -> None:
    names = Names()
    for refused in ({"a": 1, "step": 1}, {"a": 1, "a/b": 1}, {"a": 1, "b": None}):
        with pytest.raises(InvalidEventError):
            content.metrics(refused, names)

    assert content.metrics({"a/b": 1}, names) == {"a/b": 1}


def test_names_that_only_begin_alike_are_not_in_each_others_way() -> None:
    assert len(metrics({"train": 1, "train2/loss": 1, "training/loss": 1, "t/train": 1})) == 4


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"a": {"b": [1, (2, {3.5})]}}, {"a": {"b": [1, [2, [3.5]]]}}),
        ([math.nan, math.inf], ["nan", "inf"]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([0.5, np.nan]), [0.5, "nan"]),
        (np.float32(0.5), 0.5),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (PurePosixPath("a/b"), "a/b"),
        ({1: "x", 2.5: "y", False: "z"}, {"1": "x", "2.5": "y", "False": "z"}),
        ({}, {}),
        (frozenset({1}), [1]),
    ],
    ids=named,
)
def test_a_parameter_becomes_json(value: object, expected: object) -> None:
    assert content.params({"p": value}) == {"p": expected}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (b"", "params['p']"),
        (object(), "params['p']"),
        ([1, {"deep": {2, 1j}}], "params['p'][1]['deep']"),
        ({None: 1}, "params['p']"),
        ({"a": {(1,): 1}}, "params['p']['a']"),
        ({1: "x", "1": "y"}, "params['p']"),
        (np.array([object()] * 2), "params['p'][0]"),
        (Broken(), "params['p']"),
        ("\udfff", "params['p']"),
        ({"\udfff": 1}, "params['p']"),
    ],
    ids=named,
)
def test_a_parameter_that_is_no_json_is_refused_by_its_path(value: object, field: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        content.params({"p": value})

    assert caught.value.field.startswith(field)


def test_a_parameter_inside_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    tree: dict[str, object] = {}
    tree["again"] = tree
    for value in (loop, tree):
        with pytest.raises(InvalidEventError, match="nested deeper"):
            content.params({"p": value})


def test_plots_are_rows_with_props_or_without() -> None:
    rows = [{"x": np.float32(1), "y": math.nan}, {"x": 2, "y": None}]
    found = content.plots({"a": rows, "b/c": {"data": rows, "template": "linear", "x": "x", "y": ["y"], "title": "t"}})

    assert found["a"].rows == [{"x": 1.0, "y": "nan"}, {"x": 2, "y": None}]
    assert found["a"].props == {}
    assert found["b/c"].props == {"template": "linear", "x": "x", "y": ["y"], "title": "t"}
    assert content.plots({"empty": []})["empty"].rows == []
    assert content.plots(None) == {}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"p": 5}, "plots['p']"),
        ({"p": {"x": "a"}}, "plots['p']"),
        ({"p": {"data": [], "colour": "red"}}, "plots['p']"),
        ({"p": [{"x": 1}, [1]]}, "plots['p'][1]"),
        ({"p": [{"x": object()}]}, "plots['p'][0]['x']"),
        ({"p": {"data": [], "title": object()}}, "plots['p']['title']"),
        ({"../p": []}, "plots['../p']"),
        ({5: []}, "plots[5]"),
        ([], "plots"),
        ("p", "plots"),
    ],
    ids=named,
)
def test_a_plot_that_cannot_be_sent_is_refused_by_its_path(value: object, field: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        content.plots(value)

    assert caught.value.field == field


@pytest.mark.parametrize("value", [0, -5, 2**63 - 1, np.int64(7), np.array(7), Level.HIGH], ids=named)
def test_a_step_is_a_whole_number(value: object) -> None:
    assert content.step(value) == int(value)  # type: ignore[call-overload] # all of them are


@pytest.mark.parametrize(
    "value", [True, 1.0, "1", None, 2**63, -(2**63) - 1, np.array([1]), np.float64(1), Broken(), b"1"], ids=named
)
def test_what_is_no_step_is_refused(value: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        content.step(value)

    assert caught.value.field == "step"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1500),
        (2, 2000),
        (0.0015, 1),
        (-1.0, -1000),
        (np.float64(2.5), 2500),
        (datetime(1970, 1, 1, 0, 1, tzinfo=UTC), 60_000),
    ],
    ids=named,
)
def test_a_timestamp_is_milliseconds_since_the_epoch(value: object, expected: int) -> None:
    assert content.timestamp_ms(value, 1.5) == expected


BEFORE_ALL_CLOCKS = datetime(1, 1, 1)  # noqa: DTZ001 - one without a zone is this machine's, which cannot tell it


@pytest.mark.parametrize(
    "value", [False, "now", math.nan, math.inf, 1e300, 10**400, b"", date(2026, 1, 1), BEFORE_ALL_CLOCKS], ids=named
)
def test_what_is_no_timestamp_is_refused(value: object) -> None:
    with pytest.raises(InvalidEventError) as caught:
        content.timestamp_ms(value, 1.5)

    assert caught.value.field == "timestamp"


def test_the_error_of_a_worker_can_be_raised_again_in_its_parent() -> None:
    error = pickle.loads(pickle.dumps(InvalidEventError("metrics['a']", "is wrong")))

    assert (str(error), error.field) == ("metrics['a']: is wrong", "metrics['a']")
