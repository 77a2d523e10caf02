from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import LOSS, body, encoded, large_body, picture, rows

from livestream.studio.update import Update
from livestream.studio.wire.body import decode
from livestream.studio.wire.fields import WireError
from livestream.studio.wire.large import SLICE_BYTES, Slice, Survey, cut, slices, survey


def surveyed(payload: bytes) -> Survey:
    steps = survey(memoryview(payload))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Survey = end.value
            return found


def sliced(payload: bytes) -> list[Slice]:
    return list(slices(memoryview(payload), surveyed(payload).snapshots))


def decoded_at_once(payload: bytes) -> list[Slice]:
    return list(cut(decode(payload)))


both_ways = pytest.mark.parametrize("slices_of", [sliced, decoded_at_once])


def gathered(updates: list[Update]) -> dict[str, Any]:
    """What plots became, over all slices, as one value."""
    points: dict[tuple[str, str], list[list[Any]]] = {}
    for update in updates:
        for each in update.points:
            held = points.setdefault((each.path, each.column), [[], [], []])
            held[0] += each.steps
            held[1] += each.values
            held[2] += each.timestamps or [0] * len(each.steps)
    return {
        "points": points,
        "pictures": [picture for update in updates for picture in update.pictures],
        "snapshots": [snapshot for update in updates for snapshot in update.snapshots],
        "props": {path: props for update in updates for path, props in update.plot_props.items()},
    }


@both_ways
def test_slices_hold_all_rows_in_order_and_none_is_large(slices_of: Callable[[bytes], list[Slice]]) -> None:
    payload = large_body(50_000, metrics={"m.json": {"data": {"a": 1}}})

    found = slices_of(payload)

    assert gathered([each.update for each in found]) == gathered([decode(payload)])
    assert len(found) > 5
    assert all(sum(len(points.steps) for points in each.update.points) < 10_000 for each in found)
    assert [each.last for each in found] == [False] * (len(found) - 1) + [True]


@both_ways
def test_what_is_no_plot_goes_once_with_the_first_slice(slices_of: Callable[[bytes], list[Slice]]) -> None:
    payload = large_body(50_000, metrics={"m.json": {"data": {"a": 1}}}, message="m", extra_field=1)

    first, *others = slices_of(payload)

    assert (first.update.metrics, first.update.message) == ({"m.json": {"a": 1}}, "m")
    assert all(each.update.metrics == {} and each.update.extra == {} for each in others)
    assert {each.update.step for each in [first, *others]} == {3}


@both_ways
def test_a_start_comes_first_and_a_done_last(slices_of: Callable[[bytes], list[Slice]]) -> None:
    starts = slices_of(large_body(50_000, type="start", params={"p": {"a": 1}}))
    dones = slices_of(large_body(50_000, type="done", errors=[{"cls": "E", "text": "t"}]))

    assert [each.update.kind for each in starts] == ["start"] + ["data"] * (len(starts) - 1)
    assert [each.update.kind for each in dones] == ["data"] * (len(dones) - 1) + ["done"]
    assert not any(each.update.errors for each in dones[:-1])


def test_a_body_without_plots_is_one_slice() -> None:
    (only,) = sliced(encoded(params={"p": {"a": "x" * 300_000}}))

    assert only.last
    assert len(only.update.params["p"]["a"]) == 300_000


def test_one_row_at_the_end_makes_all_of_a_plot_a_snapshot() -> None:
    content = [*rows(30_000), {"step": "last", "loss": 1}]
    payload = encoded(plots={LOSS: {"data": content}, "b.tsv": {"data": rows(5)}})

    found = sliced(payload)

    assert surveyed(payload).snapshots == [LOSS]
    assert gathered([each.update for each in found]) == gathered([decode(payload)])
    (snapshot,) = [snapshot for each in found for snapshot in each.update.snapshots]
    assert json.loads(snapshot.rows) == content


def test_images_fill_slices_by_their_bytes() -> None:
    image = picture(b"\x89PNG\r\n\x1a\n" + bytes(1_000_000))

    found = sliced(encoded(plots={f"{index}.png": {"image": image} for index in range(12)}))

    sizes = [sum(len(each.content) for each in slice_.update.pictures) for slice_ in found]
    assert sum(sizes) == 12 * 1_000_008
    assert max(sizes) < SLICE_BYTES + 1_100_000


@pytest.mark.parametrize(
    ("plots", "path"),
    [
        ({LOSS: {"data": [*rows(20_000), 5]}}, f"plots.{LOSS}.data"),
        ({LOSS: {"data": rows(20_000)}, "x": {"image": "?"}}, "plots.x.image"),
        ({LOSS: {"data": rows(20_000)}, "plots/custom/x": {"data": [[]]}}, "plots.plots/custom/x.data[0]"),
        ({LOSS: {"data": rows(20_000)}, "x": 1}, "plots.x"),
    ],
)
def test_a_survey_finds_what_is_wrong_wherever_it_is(plots: dict[str, Any], path: str) -> None:
    with pytest.raises(WireError) as caught:
        surveyed(encoded(plots=plots))

    assert caught.value.path.startswith(path)


def test_a_survey_pauses_where_plots_hold_nothing_but_properties() -> None:
    payload = encoded(plots={f"{number}.json": {"props": {"title": "t"}} for number in range(5_000)})

    assert sum(1 for _ in survey(payload)) > 5_000


def test_a_survey_pauses_often() -> None:
    assert sum(1 for _ in survey(large_body(100_000))) > 20


ROW = st.fixed_dictionaries(
    {"step": st.integers(0, 99)}, optional={"a": st.floats(0, 1) | st.just("nan"), "b": st.integers(), "t": st.text()}
)


@settings(max_examples=60, deadline=None)
@given(
    plots=st.dictionaries(
        st.sampled_from(["a.tsv", "plots/custom/c", "b.json"]), st.lists(ROW, max_size=5).map(lambda data: data * 700)
    )
)
def test_slices_say_what_one_update_says(plots: dict[str, list[Any]]) -> None:
    payload = json.dumps(body(plots={path: {"data": data} for path, data in plots.items()})).encode()

    assert gathered([each.update for each in sliced(payload)]) == gathered([decode(payload)])
