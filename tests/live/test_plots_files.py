from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pandas as pd
import pytest
from dvclive.live import Live
from dvclive_oracle import move, real_live
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.live import plots
from livestream.live.error import InvalidDataTypeError, InvalidNameError

STRUCTURED = np.array([(1.5, 2.0), (2.5, 4.0)], dtype=[("x", "f8"), ("y", "f8")])
ROWS: list[dict[Any, Any]] = [{"x": 1, "y": 0.1}, {"x": 2, "y": 1e-07, "z": "text"}]


class Colour(str, Enum):  # noqa: UP042 - a StrEnum's text is another
    RED = "red"


class Size(IntEnum):
    SMALL = 1


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Live:
    return real_live(tmp_path_factory.mktemp("real"))


def theirs(real: Live, name: str, datapoints: object, folder: Path, **more: Any) -> tuple[bytes, object]:
    move(real, folder)
    real.log_plot(name, datapoints, **{"x": "x", "y": "y", **more})
    (plot,) = real._plots.values()
    return plot.output_path.read_bytes(), plot.plot_config


def ours(name: str, datapoints: object, folder: Path, **more: Any) -> tuple[bytes, object]:
    config = {"template": "linear", "x": "x", "y": "y", **more}
    plot = plots.PlotFile(name, str(folder / "plots" / "custom"), config)
    plot.write(plots.rows_of(datapoints))
    return Path(plot.path).read_bytes(), plot.config


POINTS: dict[str, Callable[[], object]] = {
    "rows": lambda: ROWS,
    "no rows": list,
    "an empty row": lambda: [{}, {"x": 1}, {}],
    "texts": lambda: [{'ü\n"\\': "ß\u2028</script>\ud800", "y": "\0"}],
    "plain values": lambda: [{"a": None, "b": True, "c": False, "d": -0.0, "e": 10**30, "f": 1e300, "g": -5e-324}],
    "keys of all kinds": lambda: [{7: 1, 2.5: 2, None: 3, True: 4, False: 5, "x": 7}],
    "nested": lambda: [{"x": [1, [2.5, {}], []], "y": {"a": {"b": None}, 3: (1, "t")}}, {"x": ()}],
    "enums": lambda: [{"x": Colour.RED, "y": Size.SMALL}],
    "a float of numpy": lambda: [{"x": np.float64(0.1), "y": np.str_("t")}],
    "a data frame": lambda: pd.DataFrame({"x": [1, 2], "y": [0.5, 1e20], "z": ["a", "ü"], "b": [True, False]}),
    "a data frame with an index": lambda: pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "b"]),
    "an empty data frame": lambda: pd.DataFrame({"x": []}),
    "a structured array": lambda: STRUCTURED,
    "a record array": lambda: STRUCTURED.view(np.recarray),
    "a plain array": lambda: np.arange(6.0).reshape(3, 2) / 7,
    "an empty array": lambda: np.zeros((0, 3)),
}


@pytest.mark.parametrize("of", POINTS)
@pytest.mark.parametrize("name", ["plot", "deep/er/plot", "a.json", "with.json.inside", "a.b"])
def test_files_are_dvclives(of: str, name: str, real: Live, tmp_path: Path) -> None:
    expected = theirs(real, name, POINTS[of](), tmp_path / "theirs")
    assert ours(name, POINTS[of](), tmp_path / "ours") == expected

    files = [
        sorted(str(path.relative_to(tmp_path / whose)) for path in (tmp_path / whose).rglob("*.json"))
        for whose in ("ours", "theirs")
    ]
    assert files[0] == files[1]


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.text(), plain_values, max_size=4)))
def test_the_text_of_any_rows_is_pythons_with_indents(rows: list[dict[Any, Any]]) -> None:
    assert plots.to_text(rows) == json.dumps(rows, indent=4) + "\n"
    assert plots.to_text({"roc": rows}) == json.dumps({"roc": rows}, indent=4) + "\n"


@pytest.mark.parametrize(
    "more",
    [
        {"template": "scatter", "title": "T", "x_label": "X", "y_label": "Y"},
        {"template": None},
        {"y": ["y", "z"], "title": ""},
        {"y_label": "only"},
    ],
    ids=str,
)
def test_what_dvc_is_told_is_what_dvclive_tells(more: dict[str, Any], real: Live, tmp_path: Path) -> None:
    _, expected = theirs(real, "a", ROWS, tmp_path / "theirs", **more)
    _, found = ours("a", ROWS, tmp_path / "ours", **more)

    assert isinstance(found, dict)
    assert isinstance(expected, dict)
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    "points",
    [
        np.arange(6, dtype=np.int64).reshape(3, 2),
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.array([(1, 2.5, "a")], dtype=[("x", "i4"), ("y", "f4"), ("z", "U3")]),
        np.arange(8.0).reshape(2, 2, 2),
        [{"x": np.int64(1), "y": np.float16(0.5), "z": np.bool_(True), "a": np.arange(3), "b": [np.uint8(3)]}],
        [{np.int64(1): 1, np.str_("x"): 2}],
        [{"x": datetime(2026, 1, 2, 3, tzinfo=UTC), "y": date(2026, 1, 2)}],
        pd.DataFrame({"x": pd.to_datetime(["2026-01-02"])}),
    ],
    ids=lambda points: f"{type(points).__name__} {str(points)[:30]}",
)
def test_values_that_dvclive_cannot_write_become_plain(points: object, real: Live, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        theirs(real, "a", points, tmp_path / "theirs")
    content, _ = ours("a", points, tmp_path / "ours")

    assert json.loads(content)
    assert json.loads(content) == plots.plain_rows(plots.rows_of(points))


def test_plain_values_are_the_ones_that_were_meant(tmp_path: Path) -> None:
    rows = [
        {"i": np.int64(-3), "f": np.float16(0.5), "b": np.bool_(False), "a": np.array([[1, 2]]), 7: date(2026, 1, 2)}
    ]
    expected = [{"i": -3, "f": 0.5, "b": False, "a": [[1, 2]], "7": "2026-01-02"}]

    assert plots.plain_rows(rows) == expected
    assert json.loads(ours("a", rows, tmp_path)[0]) == expected
    assert plots.rows_of(np.array([(1, "a")], dtype=[("x", "i4"), ("y", "U3")])) == [{"x": 1, "y": "a"}]
    assert plots.rows_of(np.array([[1, 2], [3, 4]])) == [{0: 1, 1: 2}, {0: 3, 1: 4}]


@pytest.mark.parametrize(
    "rows",
    [
        [{"x": math.nan, "y": math.inf}, {"x": -math.inf, "y": 1.5}],
        [{"x": np.float32("nan"), "y": np.float64("inf")}, {"x": np.float16("-inf"), "y": 1.5}],
        pd.DataFrame({"x": [math.nan, -math.inf], "y": [math.inf, 1.5]}),
        np.array([(math.nan, math.inf), (-math.inf, 1.5)], dtype=[("x", "f8"), ("y", "f8")]),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_nan_and_infinities_are_texts(rows: object, tmp_path: Path) -> None:
    expected = [{"x": "nan", "y": "inf"}, {"x": "-inf", "y": 1.5}]

    assert orjson.loads(ours("a", rows, tmp_path)[0]) == expected
    assert plots.plain_rows(plots.rows_of(rows)) == expected


@pytest.mark.parametrize("of", POINTS)
def test_the_stream_can_carry_every_row(of: str) -> None:
    rows = plots.plain_rows(plots.rows_of(POINTS[of]()))

    assert orjson.loads(orjson.dumps(rows)) == msgspec.json.decode(msgspec.json.encode(rows)) == rows
    assert all(type(key) is str for row in rows for key in row)


@pytest.mark.parametrize(("number", "carried"), [(2**64 - 1, 2**64 - 1), (-(2**63), -(2**63)), (2**64, float(2**64))])
def test_whole_numbers_have_64_bits_in_the_stream_and_all_of_them_in_the_file(
    number: int, carried: float, tmp_path: Path
) -> None:
    assert plots.plain_rows([{"x": number}]) == [{"x": carried}]
    assert json.loads(ours("a", [{"x": number, "y": [number]}], tmp_path)[0]) == [{"x": number, "y": [number]}]


def test_a_whole_number_beyond_every_float_is_a_text_in_the_stream() -> None:
    assert plots.plain_rows([{"x": 10**400, "y": -(10**400)}]) == [{"x": "inf", "y": "-inf"}]


def test_rows_for_the_stream_do_not_change_with_the_users() -> None:
    rows: list[dict[Any, Any]] = [{"x": 1, "y": [1]}]
    plain = plots.plain_rows(rows)
    rows[0]["x"] = 2
    rows[0]["y"].append(2)

    assert plain == [{"x": 1, "y": [1]}]


@pytest.mark.parametrize(
    "points",
    [None, 5, "rows", ({"x": 1},), {"x": [1]}, np.arange(3.0), np.float64(1), STRUCTURED.reshape(1, 2), pd.Series([1])],
    ids=lambda points: type(points).__name__,
)
def test_other_points_are_refused(points: object) -> None:
    with pytest.raises(InvalidDataTypeError, match="Data 'datapoints' has not supported type"):
        plots.rows_of(points)


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, 1j, pd.NA], ids=lambda value: type(value).__name__)
def test_what_json_cannot_hold_is_refused_and_the_file_stays(value: object, tmp_path: Path) -> None:
    plot = plots.PlotFile("a", str(tmp_path), {"x": "x"})
    plot.write(ROWS)
    before = Path(plot.path).read_bytes()
    for row in ({"x": value}, {"x": [value]}, {(1, 2): 3}):
        with pytest.raises(TypeError):
            plot.write([{"x": 1}, row])
        with pytest.raises(TypeError):
            plots.plain_rows([row])

    assert Path(plot.path).read_bytes() == before


@pytest.mark.parametrize("name", ["", ".json", "../a", "/a", "a/../..", "nul\0"])
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidNameError, match="not the name of a plot"):
        plots.PlotFile(name, str(tmp_path), {})


def test_trouble_with_the_disk_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    plot = plots.PlotFile("a", str(tmp_path / "file"), {})
    plot.write(ROWS)
    plot.write(ROWS)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("livestream", logging.ERROR)
    assert (record.message, vars(record)["file"]) == ("livestream.live_file_not_written", plot.path)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    plot = plots.PlotFile("a/b", str(tmp_path), {})
    for count in (100, 3):
        plot.write([{"x": number} for number in range(count)])
    with warnings.catch_warnings():
        assert len(json.loads(Path(plot.path).read_bytes())) == 3
    assert os.listdir(tmp_path / "a") == ["b.json"]
