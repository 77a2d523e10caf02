"""The Studio's three limits: what can arrive does, and what cannot is a dead letter with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc_studio_client.schema import SCHEMAS_BY_TYPE
from processes import until
from stage import Stage

from livestream.testing import FakeStudio

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(params=["stock", "livestream"])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Stage(tmp_path, request.param) as stage:
        yield stage


def _largest(studio: FakeStudio) -> int:
    return max(entry.size for entry in studio.ledger.requests)


def test_450_plots_at_one_step_all_arrive(stage: Stage) -> None:
    training = stage.train()
    plots = {f"plot{number}": [{"x": 1, "y": number}] for number in range(450)}
    training.emit({"loss": 1.0}, plots=plots)
    training.finish()
    assert stage.drain() == 0
    run = stage.experiment()
    assert len(run.snapshots) == 450
    assert run.snapshots["dvclive/plots/custom/plot7.json"]["data"] == [{"x": 1, "y": 7}]
    assert (
        max(len(entry.body["plots"]) for entry in stage.ledger.requests if entry.body and "plots" in entry.body) <= 200
    )
    assert stage.await_empty(3).total.dead == 0


def test_5000_metrics_at_one_step_all_arrive(stage: Stage) -> None:
    training = stage.train()
    training.emit({f"group{number % 50}/metric{number}": number / 3 for number in range(5000)})
    training.emit({f"group{number % 50}/metric{number}": number / 7 for number in range(5000)})
    training.finish()
    assert stage.drain() == 0
    run = stage.experiment()
    assert run.rows == 10_000
    assert run.values("group49/metric4999") == [(0, 4999 / 3), (1, 4999 / 7)]
    assert run.summary["group49"]["metric4999"] == 4999 / 7
    assert stage.await_empty(4).total.dead == 0


def test_six_images_of_7_8_mb_in_base64_in_one_step_all_arrive(tmp_path: Path) -> None:
    with Stage(tmp_path, "livestream") as stage:
        training = stage.train()
        size = 7_800_000 * 3 // 4
        training.emit({"loss": 1.0}, images={f"{number}.png": {"noise": size, "seed": number} for number in range(6)})
        training.finish()
        assert stage.drain(bound_s=120.0) == 0
        run = stage.experiment()
        assert {path: [image.size for image in images] for path, images in run.images.items()} == {
            f"dvclive/plots/images/{number}.png": [size] for number in range(6)
        }
        assert len({images[0].sha256 for images in run.images.values()}) == 6
        assert _largest(stage.studio) <= 29_000_000
        assert stage.await_empty(3).total.dead == 0
        until(lambda: stage.folders() == [], "the folder and its blobs are removed")


def test_one_image_of_40_mb_is_a_dead_letter_and_its_event_arrives_without_it(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        training = stage.train()
        large, small = {"noise": 40_000_000}, {"noise": 1_000}
        training.emit({"loss": 0.5}, images={"large.png": large, "small.png": small})
        training.emit({"loss": 0.25})
        training.finish()
        assert stage.drain(bound_s=90.0) == 5
        run = stage.experiment()
        assert run.values("loss") == [(0, 0.5), (1, 0.25)]
        assert list(run.images) == ["dvclive/plots/images/small.png"]
        (letter,) = stage.letters()
        assert letter.seq == 2
        assert "large.png" in letter.reason
        assert "more than a plot may be" in letter.reason
        assert len(letter.blobs) == 1
        assert stage.await_empty(4).total.dead == 1
        assert (stage.spool / "dead" / letter.blobs[0]).stat().st_size == 40_000_000


def test_raw_pixels_become_png_in_the_daemon(stage: Stage) -> None:
    training = stage.train()
    training.emit(images={"pixels.png": {"pixels": [64, 48]}})
    training.finish()
    assert stage.drain() == 0
    (image,) = stage.experiment().images["dvclive/plots/images/pixels.png"]
    assert image.data is not None
    assert image.data.startswith(b"\x89PNG")
    assert image.step == 0


def test_real_bodies_are_sound_by_the_stock_clients_own_schema(stage: Stage) -> None:
    training = stage.train(message="m")
    metrics = {"loss": 0.5, "train/acc": 1, "nan": float("nan"), "inf": float("-inf"), "text": "hello", "flag": True}
    training.emit(
        metrics,
        params={"lr": 0.1, "nested": {"a": [1, 2]}},
        images={"a/b.png": {"noise": 100}},
        plots={"custom": {"data": [{"x": 1, "y": 2}], "template": "linear", "x": "x", "y": "y"}},
        timestamp=True,
    )
    training.tell("raise", "the end")
    training.wait()
    assert stage.drain() == 0
    kinds = set()
    for entry in stage.ledger.requests:
        assert entry.kind is not None
        SCHEMAS_BY_TYPE[entry.kind](entry.body)
        kinds.add(entry.kind)
    assert kinds == {"start", "data", "done"}
    stage.await_empty(3)


def test_text_truth_values_and_what_is_no_number_keep_their_place(stage: Stage) -> None:
    training = stage.train()
    training.emit({"loss": float("nan"), "best": "epoch-3", "flag": True, "up": float("inf")})
    training.emit({"loss": float("-inf"), "best": "epoch-4", "flag": False, "up": 2})
    training.finish()
    assert stage.drain() == 0
    run = stage.experiment()
    assert run.values("loss") == [(0, "nan"), (1, "-inf")]
    assert run.values("up") == [(0, "inf"), (1, 2)]
    assert run.summary == {"loss": "-inf", "best": "epoch-4", "flag": False, "up": 2, "step": 1}
    assert not [path for path in run.counts if "best" in path or "flag" in path]


def test_images_of_one_name_are_kept_step_by_step_where_the_studio_keeps_history(stage: Stage) -> None:
    training = stage.train()
    for step in range(3):
        training.emit({"loss": float(step)}, images={"a.png": {"noise": 500 + step}})
    training.finish()
    assert stage.drain() == 0
    images = [(image.step, image.size) for image in stage.experiment().images["dvclive/plots/images/a.png"]]
    keeps_history = stage.studio.capabilities is not None
    assert images == ([(0, 500), (1, 501), (2, 502)] if keeps_history else [(2, 502)])
    books = stage.await_empty(5)
    assert books.total.superseded == (0 if keeps_history else 2)


def test_50_steps_of_10_metrics_go_in_three_requests_and_1000_steps_in_five(stage: Stage) -> None:
    for name, steps, most in (("short", 50, 3), ("long", 1000, 5)):
        before = len(stage.ledger.requests)
        training = stage.train(name, environ=stage.environ(DVC_STUDIO_OFFLINE="1"))
        orders = [{"metrics": {f"m{number}": step + number / 10 for number in range(10)}} for step in range(steps)]
        training.order("emit_many", orders)
        training.finish()
        assert stage.drain() == 0
        assert stage.experiment(name).rows == steps * 10
        assert stage.experiment(name).status == "done"
        assert len(stage.ledger.requests) - before <= most
    assert stage.await_empty(1054).total.dead == 0
