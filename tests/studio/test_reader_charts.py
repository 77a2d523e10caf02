from __future__ import annotations

import random

import pytest
from reader_cases import Filled, StoredRow, expected_chart, random_bound, random_rows

from livestream.studio.store.base import Chart
from livestream.studio.store.sqlite import charts
from livestream.studio.store.sqlite.pieces import LEVELS, Covered, cut, smallest_exponent
from livestream.studio.store.sqlite.reader import SqliteReader

DENSE = 40_000


def dense(filled: Filled, size: int = DENSE) -> tuple[int, list[StoredRow]]:
    series = filled.add_series()
    chance = random.Random(7)
    return series, filled.add_rows(series, ((step, chance.gauss(0, 1), 0) for step in range(size)))


@pytest.mark.parametrize("seed", range(40))
def test_every_chart_is_what_plain_python_computes_from_the_rows(
    seed: int, filled: Filled, reader: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "MAX_COST", 10**9)
    chance = random.Random(seed)
    series = filled.add_series()
    stored = filled.add_rows(series, random_rows(chance))
    for _ in range(12):
        points = chance.choice([2, 3, 10, 64, 100, 999, 4_000])
        first, last = random_bound(chance, stored), random_bound(chance, stored)
        chart = reader.chart(series, points=points, first_step=first, last_step=last)
        assert chart == expected_chart(stored, points, first, last), (points, first, last)
        assert list(map(type, chart.last)) == list(map(type, expected_chart(stored, points, first, last).last))


@pytest.mark.parametrize("seed", range(10))
def test_a_chart_that_reads_less_is_only_wider(
    seed: int, filled: Filled, reader: SqliteReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "MAX_COST", 500)
    chance = random.Random(1_000 + seed)
    series = filled.add_series()
    stored = filled.add_rows(series, random_rows(chance))
    for _ in range(8):
        first, last = random_bound(chance, stored), random_bound(chance, stored)
        chart = reader.chart(series, points=400, first_step=first, last_step=last)
        exact = expected_chart(stored, 400, first, last)
        assert chart.width >= exact.width
        width = None if chart.width == 1 else chart.width
        assert chart == expected_chart(stored, 400, first, last, width)


def test_a_long_range_asked_for_finely_comes_from_rollups(filled: Filled, reader: SqliteReader) -> None:
    series, stored = dense(filled)
    chart = reader.chart(series, points=4_000)
    assert chart == expected_chart(stored, 4_000, width=64)


def test_as_many_steps_as_points_come_as_they_are_and_one_more_does_not(filled: Filled, reader: SqliteReader) -> None:
    series, _ = dense(filled, 1_001)
    assert reader.chart(series, points=1_001).width == 1
    assert reader.chart(series, points=1_000).width == 2
    assert reader.chart(series, points=1_000, first_step=1).width == 1


def test_buckets_keep_their_borders_while_a_series_grows(filled: Filled, reader: SqliteReader) -> None:
    series = filled.add_series()
    before: Chart | None = None
    for size in range(1_100, 2_100, 100):
        filled.connection.execute("DELETE FROM point")
        filled.connection.execute("DELETE FROM rollup")
        filled.add_rows(series, ((step, float(step), 0) for step in range(size)))
        chart = reader.chart(series, points=1_000)
        if before is not None and before.width == chart.width:
            whole = len(before.steps) - 1
            assert chart.steps[:whole] == before.steps[:whole]
        before = chart


def test_a_spike_is_in_every_chart(filled: Filled, reader: SqliteReader) -> None:
    series = filled.add_series()
    filled.add_rows(series, ((step, 1e6 if step == 12_345 else 0.0, 0) for step in range(DENSE)))
    for points in (2, 10, 100, 1_000, 4_000):
        assert max(value for value in reader.chart(series, points=points).maximum if value is not None) == 1e6


def test_of_rows_at_a_step_the_one_measured_last_is_shown(filled: Filled, reader: SqliteReader) -> None:
    series = filled.add_series()
    filled.add_rows(series, [(1, 5.0, 2_000), (1, 7.0, 1_000), (2, 1.0, 0), (2, 3.0, 0)])
    chart = reader.chart(series, points=10)
    assert chart.last == [5.0, 3.0]
    assert chart.times_us[0] == 2_000_000
    assert chart.total == 2


def test_an_empty_range_and_an_unknown_series_are_empty_charts(filled: Filled, reader: SqliteReader) -> None:
    series, _ = dense(filled, 10)
    nothing = Chart(width=1, steps=[], last=[], times_us=[])
    assert reader.chart(series, points=10, first_step=50) == nothing
    assert reader.chart(series, points=10, first_step=5, last_step=4) == nothing
    assert reader.chart(99, points=10) == nothing


def test_bounds_beyond_all_steps_that_can_be_are_no_bounds(filled: Filled, reader: SqliteReader) -> None:
    series, stored = dense(filled, 100)
    chart = reader.chart(series, points=10, first_step=-(10**30), last_step=10**30)
    assert chart == expected_chart(stored, 10)


def test_the_outermost_steps_have_their_place(filled: Filled, reader: SqliteReader) -> None:
    series = filled.add_series()
    steps = [-(2**63), -(2**62), -1, 0, 1, 2**62, 2**63 - 1]
    stored = filled.add_rows(series, ((step, 1.0, 0) for step in steps))
    for points in (0, 1, 2, 3, 4, 5, 6, 7):
        assert reader.chart(series, points=points) == expected_chart(stored, max(points, 2))


@pytest.mark.parametrize("seed", range(50))
def test_pieces_follow_each_other_without_gap_or_overlap(seed: int) -> None:
    chance = random.Random(seed)
    first = chance.randrange(-100_000, 100_000)
    last = first + chance.randrange(-1, 200_000)
    end = chance.randrange(-100_000, 300_000)
    covered = [Covered(level, (end >> level) << level) for level in LEVELS]
    following = first
    for piece in cut(first, last, covered):
        assert piece.first << piece.level == following
        following = (piece.last + 1) << piece.level
        assert piece.level == 0 or following <= end
    assert following == max(last + 1, first)


def test_a_series_without_gaps_needs_no_count() -> None:
    def refuse(exponent: int) -> bool:
        raise AssertionError(exponent)

    assert smallest_exponent(0, 999_999, 1_000_000, 1_000, refuse) == 10
    assert smallest_exponent(0, 999_999, 1_000_000, 4_000, refuse) == 8
