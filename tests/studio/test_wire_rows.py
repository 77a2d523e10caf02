from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import rows

from livestream.studio.update import Value
from livestream.studio.wire import rows as module
from livestream.studio.wire.columns import own_axis
from livestream.studio.wire.fields import WireError
from livestream.studio.wire.rows import PIECE_BYTES, read_columns, split_rows

PAD = 200
"""Rows enough that a type is made for them."""

Columns = dict[str, tuple[list[int], list[Value], list[int]]]


def columns_of(content: list[Any]) -> Columns | None:
    found = read_columns(json.dumps(content).encode(), "rows")
    if found is None:
        return None
    return {name: (column.steps, column.values, column.timestamps) for name, column in found.items()}


def both_ways(content: list[Any]) -> Columns | None:
    """Read few rows by dictionaries, and the same among many by a type; both have to say the same of them."""
    few = columns_of(content)
    names = set(content[0]) - {"step", "timestamp"}
    pads = [{name: 1.5 if name in names else 7 for name in content[0]} for _ in range(PAD)]
    many = columns_of([*pads, *content])
    if few is None or many is None:
        assert few is None
        assert many is None
        return None
    for name, (steps, values, timestamps) in few.items():
        assert many[name][0][PAD:] == steps
        assert many[name][1][PAD:] == values
        assert (many[name][2][PAD:] or [0] * len(steps)) == (timestamps or [0] * len(steps))
    return few


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0.5, 0.5),
        (7, 7),
        ("0.25", 0.25),
        ("7", 7),
        (" -3 ", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("nan", "nan"),
        ("NaN", "nan"),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("1e999", math.inf),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (str(2**70), float(2**70)),
    ],
)
def test_numbers_and_texts_that_mean_one_are_values(raw: float | str, value: Value) -> None:
    found = both_ways([{"step": 1, "loss": raw}])

    assert found is not None
    assert found["loss"][1] == [value]
    assert type(found["loss"][1][0]) is type(value)


@pytest.mark.parametrize("raw", [True, "cat", "", "1_000", "0x10", "٣", [1], {"a": 1}, "1 2", "9" * 500])
def test_one_other_value_makes_the_plot_a_snapshot(raw: object) -> None:
    assert both_ways([{"step": 1, "loss": raw}]) is None


@pytest.mark.parametrize(
    "row",
    [
        {"loss": 0.5},
        {"step": "1", "loss": 0.5},
        {"step": 1.0, "loss": 0.5},
        {"step": True, "loss": 0.5},
        {"step": 2**63, "loss": 0.5},
        {"step": None, "loss": 0.5},
        {"step": 1},
        {"step": 1, "timestamp": 5},
        {"step": 1, "loss": None},
        {"step": 1, "lo\x00ss": 1},
        {"step": 1, "": 1},
        {"step": 1, "c" * 1001: 1},
    ],
)
def test_a_row_that_does_not_fit_makes_the_plot_a_snapshot(row: dict[str, Any]) -> None:
    assert columns_of([row]) is None
    assert columns_of([*rows(PAD), row]) is None


def test_a_row_without_a_column_has_no_point_there() -> None:
    found = both_ways([{"step": 1, "a": 0.5, "b": 2}, {"step": 2, "a": 0.25}, {"step": 3, "b": 4, "a": None}])

    assert found == {"a": ([1, 2], [0.5, 0.25], [0, 0]), "b": ([1, 3], [2, 4], [0, 0])}


def test_a_column_that_comes_late_is_not_lost() -> None:
    found = columns_of([*rows(PAD), {"step": 1_000, "new": 5}])

    assert found is not None
    assert found["new"] == ([1_000], [5], [0])
    assert len(found["loss"][0]) == PAD


def test_a_metric_that_is_called_like_an_axis_is_read_from_rows_that_hold_nothing_else() -> None:
    bare = [{"step": step, "timestamp": f"{step / 2}"} for step in range(3)]
    timed = [{"timestamp": 1_700_000_000_000, "step": 1, "value": 0.5}]
    for axis, content, values in (("timestamp", bare, [0.0, 0.5, 1.0]), ("step", [{"step": 3}], [3])):
        found = read_columns(json.dumps(content).encode(), "rows", own_axis(f"plots/metrics/{axis}.tsv"))
        assert found is not None
        assert {name: column.values for name, column in found.items()} == {axis: values}
    assert columns_of(bare) is None
    both = read_columns(json.dumps(timed).encode(), "rows", "timestamp")
    assert both is not None
    assert (list(both), both["value"].timestamps) == (["value"], [1_700_000_000_000])


@pytest.mark.parametrize(
    ("raw", "milliseconds"),
    [
        (1_700_000_000_000, 1_700_000_000_000),
        ("1700000000000", 1_700_000_000_000),
        (1_700_000_000_000.0, 1_700_000_000_000),
        ("2024-01-01", 0),
        (-5, 0),
        (None, 0),
        (2**80, 0),
        ("nan", 0),
        ("inf", 0),
    ],
)
def test_timestamps_are_milliseconds_or_ignored(raw: object, milliseconds: int) -> None:
    found = both_ways([{"step": 1, "timestamp": raw, "loss": 0.5}])

    assert found == {"loss": ([1], [0.5], [milliseconds])}


def test_names_that_look_like_ours_are_names() -> None:
    content = [{"step": index, "value_0": 1, "f0": 2, "class": 3, "a.b": 4, 'q"': 5} for index in range(PAD)]

    found = columns_of(content)

    assert found is not None
    assert {name: column[1][0] for name, column in found.items()} == {
        "value_0": 1,
        "f0": 2,
        "class": 3,
        "a.b": 4,
        'q"': 5,
    }


def test_a_thousand_columns_are_enough() -> None:
    wide = [{"step": 1, **{f"c{index}": index for index in range(count)}} for count in (1_000, 1_001)]

    assert len(columns_of(wide[:1]) or {}) == 1_000
    assert columns_of(wide[1:]) is None


def test_types_that_were_made_are_bounded() -> None:
    for index in range(600):
        columns_of(rows(PAD, column=f"column {index}"))

    assert len(module._types) <= module._MAX_TYPES


# -- cutting


def pieces(content: bytes) -> list[list[Any]]:
    return [json.loads(piece) for piece in split_rows(memoryview(content), "rows")]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n\t", " : ")])
def test_pieces_together_are_the_rows(separators: tuple[str, str]) -> None:
    content = rows(20_000)

    found = pieces(json.dumps(content, separators=separators).encode())

    assert [row for piece in found for row in piece] == content
    assert len(found) > 3


def test_texts_and_lists_that_look_like_the_end_of_a_row_are_not_cut() -> None:
    content = [
        {"step": index, "text": 'x},{"y', "list": [{"a": 1}, {"b": {"c": 2}}, {}], "quote": '\\"},{', "n": {}}
        for index in range(9_000)
    ]

    found = pieces(json.dumps(content).encode())

    assert [row for piece in found for row in piece] == content
    assert all(len(json.dumps(piece)) < 3 * PIECE_BYTES for piece in found)


def test_rows_that_cannot_be_cut_are_bounded() -> None:
    huge = json.dumps([{"step": 1, "list": [{"a": 1}] * 1_200_000}]).encode()

    with pytest.raises(WireError) as caught:
        pieces(huge)

    assert "cannot be told apart" in caught.value.problem


@settings(max_examples=100, deadline=None)
@given(
    content=st.lists(
        st.dictionaries(
            st.sampled_from(["step", "a", "b"]),
            st.integers(0, 9) | st.sampled_from(["},{", "[", '"', "\\", [{}, {}], {"x": [{}, {}]}, {}]),
        ),
        max_size=40,
    ),
    piece_bytes=st.integers(1, 200),
)
def test_any_rows_survive_cutting(content: list[Any], piece_bytes: int) -> None:
    original, module.PIECE_BYTES = module.PIECE_BYTES, piece_bytes  # type: ignore[misc]
    try:
        found = pieces(json.dumps(content).encode())
    finally:
        module.PIECE_BYTES = original  # type: ignore[misc]

    assert [row for piece in found for row in piece] == content


def test_a_list_is_read_from_a_map_as_from_bytes() -> None:
    raw = msgspec.json.decode(memoryview(bytearray(json.dumps(rows(9)).encode())), type=msgspec.Raw)

    assert pieces(bytes(raw)) == [rows(9)]
