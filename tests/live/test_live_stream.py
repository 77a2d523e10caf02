from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import events, only_queue, succeed

from livestream import Live
from livestream.events import Data, Done, Plot, Start
from livestream.spool.layout import writer_folders


@pytest.fixture
def live(spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Live]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIVESTREAM_SPOOL", str(spool))
    begun: list[Live] = []

    def begin(**options: Any) -> Live:
        begun.append(Live(**({"save_dvc_exp": False} | options)))
        return begun[-1]

    yield begin
    for each in begun:
        seal(each)


def seal(live: Live) -> None:
    live._inside_with = False
    live.end()
    stream = live._parts.stream
    if stream is not None:
        session = stream.run._session
        assert session is None or session.wait_sealed(10)


def data_of(spool: Path, live: Live) -> list[Data]:
    seal(live)
    return [event for event in events(only_queue(spool)) if isinstance(event, Data)]


def test_a_step_is_one_event(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    for step in range(3):
        for name in ("loss", "train/acc"):
            run.log_metric(name, step + 0.5)
        run.next_step()

    assert [(event.step, event.metrics) for event in data_of(spool, run)] == [
        (step, {"loss": step + 0.5, "train/acc": step + 0.5}) for step in range(3)
    ]


def test_values_of_one_step_that_repeat_are_all_sent_in_their_order(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    for value in (1, 2, 3):
        run.log_metric("loss", value)
    run.next_step()

    assert [event.metrics for event in data_of(spool, run)] == [{"loss": 1}, {"loss": 2}, {"loss": 3}]


def test_a_timestamp_goes_with_its_row(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    run.log_metric("plain", 1)
    run.log_metric("timed", 2, timestamp=True)
    run.next_step()

    plain, timed = data_of(spool, run)
    assert (plain.metrics, plain.timestamp) == ({"plain": 1}, None)
    assert timed.metrics == {"timed": 2}
    assert timed.timestamp is not None
    assert abs(timed.timestamp / 1000 - timed.time) < 60


def test_what_has_no_history_goes_as_the_whole_summary_and_only_when_it_is_news(
    spool: Path, live: Callable[..., Live]
) -> None:
    run = live()
    run.log_metric("count", 8, plot=False)
    run.next_step()
    run.log_metric("loss", 0.5)
    run.next_step()
    run.summary["best"] = {"acc": np.float64(0.25)}
    run.next_step()

    first, second, third = data_of(spool, run)
    assert first.files is not None
    assert first.files.metrics == {"dvclive/metrics.json": {"data": {"count": 8, "step": 0}}}
    assert (second.metrics, second.files) == ({"loss": 0.5}, None)
    assert third.files is not None
    assert third.files.metrics["dvclive/metrics.json"]["data"] == {
        "count": 8,
        "loss": 0.5,
        "step": 2,
        "best": {"acc": 0.25},
    }


def test_values_that_json_cannot_hold_do_not_end_the_stream(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    run.log_metric("loss", float("nan"))
    run.log_metric("phase", "warmup")
    run.log_metric("flag", True)
    run.log_metric("grad", np.float32("inf"))
    run.next_step()
    run.log_metric("loss", 0.5)
    run.next_step()

    first, second = data_of(spool, run)
    assert first.metrics == {"loss": "nan", "phase": "warmup", "flag": True, "grad": "inf"}
    assert second.metrics == {"loss": 0.5}


def test_parameters_and_images_do_not_wait_for_the_step(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    run.log_param("lr", 0.1)
    image = np.zeros((4, 4, 3), np.uint8)
    run.log_image("a.png", image)
    image[:] = 255  # after it was logged: what was sent stays

    params, picture = data_of(spool, run)[:2]
    assert params.params == {"lr": 0.1}
    sent = picture.images["a.png"]
    assert (sent.format, sent.height, sent.data) == ("raw", 4, "A" * 64)


def test_plots_go_with_their_step_below_the_folder_of_their_kind(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    run.log_plot("curve", [{"x": 1, "y": 2}], "x", "y")
    run.log_plot("curve", [{"x": 3, "y": 4}], "x", "y")
    run.log_sklearn_plot("confusion_matrix", [0, 1], [1, 1], name="cm")
    run.next_step()

    (event,) = data_of(spool, run)
    assert event.plots["curve"] == Plot(rows=[{"x": 3, "y": 4}], props={"template": "linear", "x": "x", "y": "y"})
    assert event.plots["cm"].folder == "sklearn"
    assert event.plots["cm"].rows == [{"actual": "0", "predicted": "1"}, {"actual": "1", "predicted": "1"}]


def test_a_name_that_the_wire_cannot_carry_is_in_the_folder_and_the_rest_is_sent(
    spool: Path, live: Callable[..., Live], caplog: pytest.LogCaptureFixture
) -> None:
    run = live()
    for step in range(3):
        run.log_metric("back\\slash", step)
        run.log_metric("step", step)
        run.log_metric("loss", step)
        run.next_step()

    assert [event.metrics for event in data_of(spool, run)] == [{"loss": 0}, {"loss": 1}, {"loss": 2}]
    assert Path("dvclive/plots/metrics/back\\slash.tsv").exists()
    assert [record.message for record in caplog.records].count("livestream.not_streamed") == 1


def test_an_exception_in_the_block_ends_the_experiment_as_failed(spool: Path, live: Callable[..., Live]) -> None:
    run = live()

    def train() -> None:
        with run:
            run.log_metric("loss", 1)
            raise KeyError("no such layer")

    with pytest.raises(KeyError):
        train()
    seal(run)

    *_, last, done = events(only_queue(spool))
    assert isinstance(last, Data)
    assert isinstance(done, Done)
    assert [(problem.cls, problem.text) for problem in done.errors] == [("KeyError", "'no such layer'")]


def test_a_process_that_ends_without_end_sends_what_waits(spool: Path, environ: dict[str, str]) -> None:
    succeed(
        "from livestream import Live\nlive = Live(save_dvc_exp=False)\nlive.log_metric('loss', 1)\n",
        environ,
    )

    start, event, done = events(only_queue(spool))
    assert isinstance(start, Start)
    assert isinstance(event, Data)
    assert event.metrics == {"loss": 1}
    assert isinstance(done, Done)


def test_a_forked_child_does_not_send_what_its_parent_will(spool: Path, live: Callable[..., Live]) -> None:
    run = live()
    run.log_metric("loss", 1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run.log_metric("child", 2)
            run.sync()
            stream = run._parts.stream
            assert stream is not None
            assert stream.run._session is not None
            stream.run._session.end()
            stream.run._session.wait_sealed(10)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    run.next_step()
    seal(run)

    queued = [event for folder in writer_folders(spool) for event in events(folder)]
    sent = [event.metrics for event in queued if isinstance(event, Data) and event.metrics]
    assert sorted(map(str, sent)) == ["{'child': 2}", "{'loss': 1}"]
