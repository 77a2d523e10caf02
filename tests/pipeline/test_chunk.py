from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_cases import (
    LIMITS,
    OURS,
    PROFILES,
    QUEUES,
    SOURCE,
    bodies_of,
    body_of,
    content,
    data,
    update_of,
    updates_of,
)

from livestream.events import Done, Files, Image, JsonObject, Plot, Problem, Record, Start
from livestream.pipeline.chunk import Limits, chunk, render
from livestream.pipeline.coalesce import ExperimentState, Profile, Update
from livestream.pipeline.encode import base64_size, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGE_FOLDER = "dvclive/plots/images"


def plots_of(bodies: list[JsonObject]) -> list[dict[str, JsonObject]]:
    return [body.get("plots", {}) for body in bodies]


def with_images(sizes: dict[str, int]) -> tuple[Update, dict[str, int]]:
    """Give an update with images, and the sizes of their base64 by path."""
    update = update_of(data(1, images={name: Image(format="png", size=1, blob="0") for name in sizes}))
    return update, {f"{IMAGE_FOLDER}/{name}": size for name, size in sizes.items()}


def test_a_small_update_is_one_body_in_the_order_of_the_stock_client() -> None:
    update = update_of(data(3, metrics={"loss": 0.5}, params={"lr": 1}, machine={"cpu": 2}))

    chunks = chunk(update, Limits(), {})
    text = render(update, chunks.parts[0], {})

    assert len(chunks.parts) == 1
    assert list(body_of(update, chunks.parts[0])) == [
        *("type", "repo_url", "baseline_sha", "name", "client", "params", "metrics", "machine", "step", "plots")
    ]
    assert text == (
        b'{"type":"data","repo_url":"https://example.org/r.git","baseline_sha":"' + b"a" * 40 + b'","name":"brave-owl",'
        b'"client":"dvclive","params":{"dvclive/params.yaml":{"lr":1}},'
        b'"metrics":{"dvclive/metrics.json":{"data":{"loss":0.5,"step":3}}},"machine":{"cpu":2},"step":3,'
        b'"plots":{"dvclive/plots/metrics/loss.tsv":{"data":[{"step":3,"loss":0.5}]}}}'
    )


def test_start_and_done_are_bodies_of_the_stock_schema() -> None:
    start = bodies_of(update_of(Start(time=0, message="first", subdir="sub", params={"lr": 1}, machine={"cpu": 2})))
    done = bodies_of(update_of(Done(time=0, errors=[Problem("E", "t")], experiment_rev="b" * 40)))

    assert [(body["type"], body["message"], body["subdir"]) for body in start] == [("start", "first", "sub")]
    assert [(body["type"], body["errors"], body["experiment_rev"]) for body in done] == [
        ("done", [{"cls": "E", "text": "t"}], "b" * 40)
    ]


def test_an_event_without_news_is_one_empty_part() -> None:
    (body,) = bodies_of(update_of(data(5, files={})))

    assert body["step"] == 5
    assert {"metrics", "params", "plots"}.isdisjoint(body)


@given(queue=QUEUES, profile=PROFILES, limits=LIMITS, image_bytes=st.integers(0, 700))
def test_whatever_the_limits_everything_is_in_one_part_or_named_unfit(
    queue: list[Record], profile: Profile, limits: Limits, image_bytes: int
) -> None:
    for update in updates_of(queue, profile):
        sizes = dict.fromkeys(update.images, image_bytes)
        chunks = chunk(update, limits, sizes)
        images = {path: content(path, image_bytes) for path in update.images}
        bodies = [body_of(update, part, images) for part in chunks.parts]
        unfit = Counter(thing.path for thing in chunks.unfit)

        assert chunk(update, limits, sizes) == chunks
        assert [(part.index, part.count) for part in chunks.parts] == [(n, len(bodies)) for n in range(len(bodies))]
        sent: dict[str, list[JsonObject]] = {}
        for plots in plots_of(bodies):
            for path, plot in plots.items():
                sent.setdefault(path, []).append(plot)
        check_series(update, sent, unfit)
        for path, snapshot in update.snapshots.items():
            assert sent.get(path, []).count(snapshot.item) + unfit[path] >= 1
        for path, image in update.images.items():
            whole = {"image": content(path, image_bytes).decode(), "props": {"step": image.step}}
            assert sent.get(path, []).count(whole) + unfit[path] == 1
        assert set(sent) <= {*update.series, *update.snapshots, *update.images}
        check_documents(update, bodies, unfit)


def check_series(update: Update, sent: dict[str, list[JsonObject]], unfit: Counter[str]) -> None:
    for path, series in update.series.items():
        snapshot = update.snapshots.get(path)
        got = [row for plot in sent.get(path, []) if not (snapshot and plot == snapshot.item) for row in plot["data"]]
        wanted = [json.loads(row) for row in series.rows]
        left_out = len(wanted) - len(got)
        assert 0 <= left_out <= unfit[path]
        rest = iter(wanted)
        assert all(row in rest for row in got)  # in order, none twice
        if snapshot is None:
            assert left_out == unfit[path]


def check_documents(update: Update, bodies: list[JsonObject], unfit: Counter[str]) -> None:
    for group in ("metrics", "params"):
        wanted: dict[str, JsonObject] = getattr(update, group)
        sent = Counter(path for body in bodies for path in body.get(group, {}))
        assert all(body[group][path] == wanted[path] for body in bodies for path in body.get(group, {}))
        assert all(sent[path] + unfit[path] == 1 for path in wanted)
    for group in ("machine", "errors"):
        sent_once = sum(body.get(group) == getattr(update, group) for body in bodies)
        assert sent_once + unfit[group] == bool(getattr(update, group))


@given(queue=QUEUES, profile=PROFILES, limits=LIMITS, image_bytes=st.integers(0, 700))
def test_no_body_breaks_a_limit(queue: list[Record], profile: Profile, limits: Limits, image_bytes: int) -> None:
    for update in updates_of(queue, profile):
        chunks = chunk(update, limits, dict.fromkeys(update.images, image_bytes))
        images = {path: content(path, image_bytes) for path in update.images}
        for part in chunks.parts:
            text = render(update, part, images)
            plots = json.loads(text).get("plots", {})
            assert len(text) <= limits.max_request_bytes
            assert len(plots) == part.items <= limits.max_plots
            for plot in plots.values():
                assert len(to_json(plot.get("data", plot.get("image", "")))) - 2 * ("image" in plot) <= (
                    limits.max_plot_bytes
                )
        carrying = [part.items or part.metrics or part.params or part.machine for part in chunks.parts]
        assert all(carrying) or len(carrying) == 1 or update.kind != "data"


@given(queue=QUEUES, profile=PROFILES)
def test_within_the_limits_the_first_part_holds_the_dictionaries_and_each_part_the_step(
    queue: list[Record], profile: Profile
) -> None:
    for update in updates_of(queue, profile):
        bodies = bodies_of(update, Limits(max_plots=1), dict.fromkeys(update.images, 9))

        own = bodies[-1] if update.kind == "done" else bodies[0]
        assert own["type"] == update.kind
        assert (own.get("metrics", {}), own.get("params", {})) == (update.metrics, update.params)
        for body in bodies:
            assert body is own or body["type"] == "data"
            assert body is own or {"metrics", "params", "machine", "errors"}.isdisjoint(body)
            assert body["type"] != "data" or body["step"] == update.step
            assert body["name"] == SOURCE.name


def test_450_plots_go_in_three_bodies() -> None:
    files = {f"plots/{n}.json": {"data": [{"v": n}]} for n in range(450)}

    bodies = bodies_of(update_of(data(files=msgspec.to_builtins(Files(plots=files)))))

    assert [len(plots) for plots in plots_of(bodies)] == [200, 200, 50]
    assert {path: plot for plots in plots_of(bodies) for path, plot in plots.items()} == files


def test_5000_metrics_all_arrive() -> None:
    names = [f"layer{n // 10}/m{n % 10}" for n in range(5000)]

    bodies = bodies_of(update_of(data(2, metrics=dict.fromkeys(names, 0.5))))

    assert [len(plots) for plots in plots_of(bodies)] == [200] * 25
    sent = [path for plots in plots_of(bodies) for path in plots]
    assert sent == [f"dvclive/plots/metrics/{name}.tsv" for name in names]
    assert bodies[0]["metrics"]["dvclive/metrics.json"]["data"]["layer499"]["m9"] == 0.5


def test_six_images_of_7_8_megabytes_go_in_requests_of_their_own() -> None:
    update, sizes = with_images({f"{n}.png": base64_size(5_850_000) for n in range(6)})

    chunks = chunk(update, Limits(), sizes)

    assert chunks.unfit == ()
    assert [len(part.images) for part in chunks.parts] == [1] * 6


def test_without_our_softer_target_images_fill_a_request() -> None:
    update, sizes = with_images({f"{n}.png": 7_800_000 for n in range(6)})

    chunks = chunk(update, Limits(target_request_bytes=10**9), sizes)

    assert [len(part.images) for part in chunks.parts] == [3, 3]


@pytest.mark.parametrize(("size", "fits"), [(10_000_000, True), (10_000_001, False), (53_333_336, False)])
def test_an_image_over_the_plot_limit_is_unfit_with_its_event_and_reason(*, size: int, fits: bool) -> None:
    update, sizes = with_images({"small.png": 10, "big.png": size})

    chunks = chunk(update, Limits(), sizes)

    assert sum(len(part.images) for part in chunks.parts) == 1 + fits
    assert [(thing.path, thing.seq, thing.size, thing.limit) for thing in chunks.unfit] == (
        [] if fits else [(f"{IMAGE_FOLDER}/big.png", 1, size, 10_000_000)]
    )
    assert all("more than a plot may be" in thing.reason for thing in chunks.unfit)


def test_an_image_without_content_is_unfit() -> None:
    update, sizes = with_images({"x.png": 10, "y.png": 10})
    del sizes[f"{IMAGE_FOLDER}/x.png"]

    chunks = chunk(update, Limits(), sizes)

    assert [(thing.path, thing.reason) for thing in chunks.unfit] == [
        (f"{IMAGE_FOLDER}/x.png", "image: its content is missing")
    ]
    assert chunks.parts[0].images == (f"{IMAGE_FOLDER}/y.png",)


def test_a_long_series_is_cut_by_rows_near_the_target() -> None:
    update = update_of(*(data(step, metrics={"loss": 0.123456, "acc": 1}) for step in range(3000)))
    limits = Limits(target_request_bytes=20_000)

    chunks = chunk(update, limits, {})
    sizes = [len(render(update, part, {})) for part in chunks.parts]

    assert all(19_800 < size <= 20_000 for size in sizes[:-1])
    assert len(sizes) == sum(sizes) // 20_000 + 1
    bodies = bodies_of(update, limits)
    rows = [
        row for plots in plots_of(bodies) for row in plots.get("dvclive/plots/metrics/loss.tsv", {}).get("data", [])
    ]
    assert [row["step"] for row in rows] == list(range(3000))


def test_a_part_knows_into_how_many_pieces_a_lower_limit_could_cut_it() -> None:
    files = Files(plots={"a.tsv": {"data": [{"step": 1}, {"step": 2}]}, "b.png": {"image": "aGk="}})
    update = update_of(data(files=msgspec.to_builtins(files), images={"c.png": Image(format="png", size=1, data="")}))

    (part,) = chunk(update, Limits(), {f"{IMAGE_FOLDER}/c.png": 4}).parts

    assert (part.items, part.pieces) == (3, 4)
    assert len(bodies_of(update, Limits(target_request_bytes=1), {f"{IMAGE_FOLDER}/c.png": 4})) == part.pieces + 1


def test_each_piece_of_a_cut_series_keeps_its_props() -> None:
    rows = [{"step": step, "v": "x" * 100} for step in range(10)]
    files = Files(plots={"a.tsv": {"data": rows, "props": {"x": "step"}}})

    bodies = bodies_of(update_of(data(files=msgspec.to_builtins(files))), Limits(max_plot_bytes=300))

    assert [plots["a.tsv"]["props"] for plots in plots_of(bodies)] == [{"x": "step"}] * 5


def test_a_row_that_no_plot_can_hold_is_unfit_and_its_neighbours_are_sent() -> None:
    events = [
        data(step, files=msgspec.to_builtins(Files(plots={"a.tsv": {"data": [{"step": step, "v": text}]}})))
        for step, text in enumerate(["a", "b" * 500, "c"])
    ]

    chunks = chunk(update_of(*events), Limits(max_plot_bytes=100), {})

    assert [(thing.path, thing.seq, thing.limit) for thing in chunks.unfit] == [("a.tsv", 2, 98)]
    assert [len(part.series) for part in chunks.parts] == [2]
    assert chunks.parts[0].items == 1


def test_the_plot_limit_is_kept_to_the_byte_also_around_rows_that_are_left_out() -> None:
    rows: list[JsonObject] = [{"step": step, "v": "x" * (500 if step % 5 == 2 else step % 7)} for step in range(40)]
    update = update_of(data(files=msgspec.to_builtins(Files(plots={"a.tsv": {"data": rows}}))))

    for limit in range(60, 200):
        chunks = chunk(update, Limits(max_plot_bytes=limit), {})
        plots = [plots["a.tsv"]["data"] for plots in plots_of([body_of(update, part) for part in chunks.parts])]
        assert all(len(to_json(plot)) <= limit for plot in plots)
        assert [row for plot in plots for row in plot] == [row for row in rows if row["step"] % 5 != 2]


def test_the_request_limit_is_kept_to_the_byte_by_many_small_plots() -> None:
    files = {f"{n}.json": {"data": [{"v": n}]} for n in range(150)}
    files |= {f"{n}.tsv": {"data": [{"step": n}]} for n in range(150)}
    update = update_of(data(files=msgspec.to_builtins(Files(plots=files))))

    for limit in range(3000, 3040):
        bodies_of(update, Limits(max_request_bytes=limit))


def test_a_row_over_our_target_but_under_the_studios_limit_goes_alone() -> None:
    rows = [{"step": step, "v": "x" * 500} for step in range(3)]
    files = msgspec.to_builtins(Files(plots={"a.tsv": {"data": rows}}))

    bodies = bodies_of(update_of(data(files=files)), Limits(target_request_bytes=300))

    assert [len(plots["a.tsv"]["data"]) for plots in plots_of(bodies)] == [1, 1, 1]


def test_a_snapshot_of_a_path_with_rows_comes_after_them_in_a_body_of_its_own() -> None:
    plots: Iterable[JsonObject] = ({"data": [{"step": 1}]}, {"error": {"cls": "E", "text": "t"}})
    update = update_of(*(data(files=msgspec.to_builtins(Files(plots={"a.tsv": plot}))) for plot in plots))

    assert plots_of(bodies_of(update)) == [{"a.tsv": plot} for plot in plots]


def test_a_snapshot_counts_by_its_data_as_the_studio_counts() -> None:
    exact = 100 - len(to_json([{"v": ""}]))
    update = update_of(data(plots={"p": Plot(rows=[{"v": "x" * exact}], props={"title": "t"})}), profile=OURS)

    assert chunk(update, Limits(max_plot_bytes=100), {}).unfit == ()
    assert [thing.size for thing in chunk(update, Limits(max_plot_bytes=99), {}).unfit] == [100]


def test_a_snapshot_whose_props_no_request_can_hold_is_unfit() -> None:
    update = update_of(data(plots={"p": Plot(rows=[], props={"title": "t" * 2000})}), profile=OURS)

    (thing,) = chunk(update, Limits(max_request_bytes=1000), {}).unfit

    assert thing.path == "dvclive/plots/custom/p.json"
    assert thing.limit == 1000


def test_plots_that_waited_go_in_bodies_of_data_before_done() -> None:
    state = ExperimentState(step=8, snapshots={f"{n}.json": Plot(rows=[{"v": n}]) for n in range(3)})

    bodies = bodies_of(update_of(Done(time=0), state=state), Limits(max_plots=2))

    assert [(body["type"], body.get("step"), len(body.get("plots", ()))) for body in bodies] == [
        ("data", 8, 2),
        ("data", 8, 1),
        ("done", None, 0),
    ]


def test_plots_of_a_start_go_in_bodies_of_data_after_it() -> None:
    bodies = bodies_of(update_of(Start(time=0, files=Files(plots={"a.png": {"image": "aGk="}}))))

    assert [body["type"] for body in bodies] == ["start", "data"]
