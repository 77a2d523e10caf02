"""What charts are made of, as numbers: tails, zoomed parts, x, smoothing, joining, scales, groups, CSV."""

from __future__ import annotations

import math
from typing import Final

import pytest
from browser_stage import Tab

from livestream.events import Json, JsonObject

NAN: Final = math.nan


def answer(steps: list[int], last: list[Json], width: int = 1, **more: Json) -> JsonObject:
    """Give a chart as the API answers it; step ``n`` was measured at 1000 + ``n``."""
    made: JsonObject = {
        "experiment": 1,
        "series": 1,
        "name": "loss",
        "path": "p",
        "width": width,
        "steps": steps,
        "times": [1000.0 + step for step in steps],
        "last": last,
        "minimum": [],
        "maximum": [],
        "count": [],
        "total": len(steps),
    }
    return made | more


def bucketed(steps: list[int], last: list[Json], low: list[Json], high: list[Json], width: int) -> JsonObject:
    return answer(steps, last, width, minimum=low, maximum=high, count=[width] * len(steps))


_SHOWN: Final = """
    const list = (values) => values && Array.from(values);
    const shown = ({ steps, last, low, high, total }) =>
        ({ steps, last: list(last), low: list(low), high: list(high), total });
"""


def same(one: Json, other: Json) -> bool:
    """Compare with NaN equal to itself, and numbers to nine digits."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(left, right) for left, right in zip(one, other, strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return bool(one == pytest.approx(other, rel=1e-9, nan_ok=True))
    return bool(one == other)


async def line(modules: Tab, chart: JsonObject, **how: Json) -> JsonObject:
    other = how.pop("other", None)
    drawn: JsonObject = await modules.run(
        "core/series.js",
        """({ readChart, lineOf }, [chart, how, other]) =>
            lineOf(readChart(chart), "1", { mode: "step", origin: 1000, ...how, other: other && readChart(other) })""",
        [chart, how, other],
    )
    return drawn


async def test_numbers_that_json_has_no_word_for(modules: Tab) -> None:
    made = await line(modules, answer([1, 2, 3, 4], [1, "nan", "inf", "-inf"]))
    assert same(made["ys"], [1, NAN, NAN, NAN])
    assert (made["odd"], made["hidden"], made["low"], made["raw"]) == (3, 0, None, None)


async def test_a_tail_puts_rows_at_the_end_and_keeps_the_last_band(modules: Tab) -> None:
    whole = bucketed([3, 7], [1, 5], [0, 4], [2, 9], 4)
    given = await modules.run(
        "core/series.js",
        "({ readChart, withTail }, [whole, tail]) => {"
        + _SHOWN
        + "return shown(withTail(readChart(whole), readChart(tail))); }",
        [whole, answer([6, 7, 8, 9], [4, 3, 8, "nan"])],
    )
    assert given["steps"] == [3, 7, 8, 9]
    assert same(given["last"], [1, 3, 8, NAN])
    assert same(given["low"], [0, 3, 8, NAN])
    assert same(given["high"], [2, 9, 8, NAN])
    assert given["total"] == 4


async def test_a_tail_with_nothing_new_is_the_chart_itself(modules: Tab) -> None:
    given = await modules.run(
        "core/series.js",
        """({ readChart, withTail }, [whole, tail]) => {
            const chart = readChart(whole);
            const empty = readChart({ ...whole, steps: [], times: [], last: [] });
            return [withTail(chart, readChart(tail)) === chart, withTail(empty, chart) === chart];
        }""",
        [answer([1, 2], [1, "nan"]), answer([2], ["nan"])],
    )
    assert given == [True, True]


async def test_a_zoomed_part_lies_within_the_whole(modules: Tab) -> None:
    whole = bucketed([3, 7, 11, 15], [1, 2, 3, 4], [0, 0, 0, 0], [9, 9, 9, 9], 4)
    given = await modules.run(
        "core/series.js",
        "({ readChart, withPart }, [whole, part]) => {"
        + _SHOWN
        + "return shown(withPart(readChart(whole), readChart(part), 5, 9)); }",
        [whole, answer([5, 6, 7, 8, 9], [50, 60, 70, 80, 90])],
    )
    assert given["steps"] == [3, 5, 6, 7, 8, 9, 11, 15]
    assert given["last"] == [1, 50, 60, 70, 80, 90, 3, 4]
    assert given["high"] == [9, 50, 60, 70, 80, 90, 9, 9]


async def test_the_average_is_tensorboards_and_invents_no_point(modules: Tab) -> None:
    values = [1.0, NAN, 3.0, 2.0, math.inf, 10.0]
    weight, average, seen, wanted = 0.6, 0.0, 0, []
    for value in values:
        if not math.isfinite(value):
            wanted.append(value)
            continue
        seen += 1
        average = average * weight + (1 - weight) * value
        wanted.append(average / (1 - weight**seen))
    given = await modules.run("core/series.js", "({ ema }, [values, weight]) => ema(values, weight)", [values, weight])
    assert same(given, wanted)
    assert given[0] == 1.0
    sparse = await line(modules, answer([0, 100, 5000], [1, 3, 2]), smoothing=weight)
    assert sparse["xs"] == [0, 100, 5000]
    assert same(sparse["ys"], [wanted[0], wanted[2], wanted[3]])
    assert sparse["raw"] == [1, 3, 2]


async def test_a_logarithmic_scale_counts_what_it_cannot_show(modules: Tab) -> None:
    made = await line(modules, answer([0, 1, 2, 3], [5, 0, -1, 7]), logX=True, logY=True)
    assert made["xs"] == [1, 2, 3]
    assert same(made["ys"], [NAN, NAN, 7])
    assert made["hidden"] == 3


async def test_x_is_time_or_another_metric_by_step(modules: Tab) -> None:
    chart = answer([1, 2, 3, 4], [10, 20, 30, 40], times=[1000, 1010, 1005, 1020])
    relative = await line(modules, chart, mode="relative")
    assert relative["xs"] == [0, 5, 10, 20]
    assert relative["ys"] == [10, 30, 20, 40]
    assert (await line(modules, chart, mode="time"))["xs"] == [1000, 1005, 1010, 1020]
    other = answer([1, 3, 4, 9], [0.9, 0.1, "nan", 1])
    metric = await line(modules, chart, mode="accuracy", other=other)
    assert (metric["xs"], metric["ys"], metric["steps"]) == ([0.1, 0.9], [30, 10], [3, 1])
    assert (await line(modules, chart, mode="accuracy"))["xs"] == []


async def test_lines_join_over_one_x_with_gaps_apart_from_absence(modules: Tab) -> None:
    given = await modules.run(
        "core/series.js",
        """({ joinByX }, lines) => {
            const { data, places } = joinByX(lines);
            const told = (value) => (value === undefined ? "absent" : value === null ? "gap" : value);
            return [data.map((values) => values.map(told)), places.map((one) => Array.from(one))];
        }""",
        [{"xs": [1, 3, 3, 5], "ys": [10, 30, NAN, 50]}, {"xs": [2, 3], "ys": [2, 3]}, {"xs": [], "ys": []}],
    )
    data, places = given
    assert data[0] == [1, 2, 3, 3, 5]
    assert data[1] == [10, "absent", 30, "gap", 50]
    assert data[2] == ["absent", 2, 3, "absent", "absent"]
    assert data[3] == ["absent"] * 5
    assert places == [[0, 2, 3, 4], [1, 2], []]


async def test_the_scale_shows_all_or_all_but_outliers(modules: Tab) -> None:
    ys = [float(value % 10) for value in range(100)]
    ys[50] = 1e6
    drawn: JsonObject = {"xs": list(range(100)), "ys": ys, "raw": None, "low": None, "high": None}
    script = "({ yRange }, [lines, between, how]) => yRange(lines, between, how)"
    low, high = await modules.run("core/series_scale.js", script, [[drawn], [0, 99], {"outliers": True}])
    assert low < 0
    assert high > 1e6
    low, high = await modules.run("core/series_scale.js", script, [[drawn], [0, 99], {"outliers": False}])
    assert -1 < low <= 0
    assert 9 <= high < 20
    low, high = await modules.run("core/series_scale.js", script, [[drawn], [0, 9], {"outliers": True}])
    assert low < 0
    assert 9 < high < 10
    assert await modules.run("core/series_scale.js", script, [[], [0, 1], {}]) == [0, 1]
    one = drawn | {"xs": [3], "ys": [5.0]}
    assert await modules.run("core/series_scale.js", script, [[one], [3, 3], {}]) == [4.5, 5.5]


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 0.25, 0.5], ["0", "0.25", "0.50"]),
        ([0, 500, 1000], ["0", "500", "1000"]),
        ([0, 500_000, 1_000_000], ["0", "0.5M", "1.0M"]),
        ([98.0, 98.5], ["98.0", "98.5"]),
        ([0, 2e-6], ["0", "2e-6"]),
        ([], []),
    ],
)
async def test_ticks_say_what_tells_them_apart(modules: Tab, ticks: list[float], labels: list[str]) -> None:
    assert await modules.run("core/series_scale.js", "({ tickLabels }, ticks) => tickLabels(ticks)", ticks) == labels


async def test_logarithmic_ticks_are_round_and_within(modules: Tab) -> None:
    script = "({ logTicks }, [range, most]) => logTicks(range, most)"
    assert await modules.run("core/series_scale.js", script, [[1e-9, 1e-3], 4]) == [1e-8, 1e-6, 1e-4]
    assert await modules.run("core/series_scale.js", script, [[0.13, 1.3], 5]) == [0.2, 0.5, 1]


async def test_a_group_is_the_mean_of_the_runs_that_span_x(modules: Tab) -> None:
    def drawn(xs: list[float], ys: list[float]) -> JsonObject:
        return {
            "key": "",
            "xs": xs,
            "ys": ys,
            "raw": None,
            "low": None,
            "high": None,
            "steps": [],
            "odd": 0,
            "hidden": 0,
        }

    group = await modules.run(
        "core/series_groups.js",
        "({ aggregate }, lines) => aggregate(lines, '=a')",
        [drawn([0, 10, 20], [0, 10, 20]), drawn([0, 20], [100, 300]), drawn([10], [7]), drawn([5], [NAN])],
    )
    assert group["xs"] == [0, 5, 10, 20]
    assert same(group["ys"], [50, (5 + 150) / 2, (10 + 200 + 7) / 3, 160])
    assert same(group["low"], [0, 5, 7, 20])
    assert same(group["high"], [100, 150, 200, 300])


async def test_csv_has_what_is_shown_and_runs_no_formula(modules: Tab) -> None:
    drawn: JsonObject = {
        "key": "1",
        "xs": [1, 2, 3],
        "ys": [0.5, NAN, 2],
        "raw": [1, 2, 3],
        "low": None,
        "high": None,
        "steps": [1, 2, 3],
    }
    text = await modules.run(
        "core/series_groups.js",
        """({ linesCsv }, [line, label]) => linesCsv([line], new Map([["1", label]]), "step", [2, 3])""",
        [drawn, '=cmd("x"),1'],
    )
    assert text == 'run,step,value,unsmoothed\r\n"\'=cmd(""x""),1",2,nan,2\r\n"\'=cmd(""x""),1",3,2,3\r\n'


async def test_requests_are_few_and_within_bounds(modules: Tab) -> None:
    given = await modules.run(
        "data/chart_requests.js",
        """({ requests, isAskable }) => {
            const want = (experiment, name, from = null) =>
                ({ want: { experiment, name, points: 250, from, to: null } });
            const names = Array.from({ length: 60 }, (_, index) => `m${index}`);
            const all = [...Array(20).keys()].flatMap((id) => names.map((name) => want(id + 1, name)));
            const made = requests([...all, want(1, "m0", 5), want(2, "x".repeat(3000)), want(2, "y".repeat(3000))]);
            const charts = ({ query: { experiment, name, from } }) =>
                experiment.flatMap((id) => name.map((one) => `${id} ${one} ${from}`));
            const largest = Math.max(...made.map((one) => charts(one).length));
            const asked = made.reduce((sum, one) => sum + one.asked.length, 0);
            return [made.length, largest, new Set(made.flatMap(charts)).size, asked, isAskable("x".repeat(5000))];
        }""",
    )
    count, largest, covered, asked, is_askable = given
    assert count <= 8
    assert largest <= 500
    assert covered == asked == 20 * 60 + 3
    assert not is_askable
