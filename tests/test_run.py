from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from training_cases import bodies, data, events, eventually, info, only_queue, queue_of, rows, steps

import livestream
from livestream.errors import ConfigError, InvalidEventError
from livestream.events import Data, Done, Plot, Start
from livestream.files import write_whole
from livestream.run import Run
from livestream.spool import layout
from livestream.spool.blobs import read_blob
from livestream.spool.journal import read_counters
from livestream.spool.layout import Published
from livestream.spool.quota import allowance

THREADS = 8
EACH = 2000


@pytest.fixture
def begin(spool: Path) -> Iterator[Callable[..., Run]]:
    """Begin runs in the test's spool; they are sealed when the test is over."""
    begun: list[Run] = []

    def begin(name: str | None = "run", **options: Any) -> Run:
        begun.append(livestream.init(name, **({"spool": spool} | options)))
        return begun[-1]

    yield begin
    for run in begun:
        close(run)


def close(run: Run) -> None:
    run.end()
    assert run._session is None or run._session.wait_sealed(10)


def test_the_events_of_a_run_are_start_data_and_done_with_gapless_numbers(
    spool: Path, begin: Callable[..., Run]
) -> None:
    run = begin(message="m" * 100, dir="results", subdir="sub", repo_url="https://u:secret@host/a.git")
    assert [run.emit({"loss": 0.5}) for _ in range(3)] == [2, 3, 4]
    close(run)

    folder = only_queue(spool)
    first, *middle, last = events(folder)
    assert isinstance(first, Start)
    assert (first.message, first.subdir) == ("m" * 72, "sub")
    assert all(isinstance(event, Data) for event in middle)
    assert isinstance(last, Done)
    assert last.errors == []
    said = info(folder)
    assert (said.role, said.directory, said.experiment.name) == ("primary", "results", "run")
    assert said.experiment.repo_url == "https://host/a.git"
    assert run.experiment == said.experiment
    assert not any(b"secret" in path.read_bytes() for path in spool.rglob("*") if path.is_file())


def test_everything_that_is_emitted_is_in_its_event(spool: Path, begin: Callable[..., Run]) -> None:
    run = begin()
    before = time.time()
    seq = run.emit(
        {"train/loss": np.float32(0.5), "bad": float("nan"), "n": 3, "ok": True, "text": "t"},
        step=7,
        params={"lr": 0.1, "layers": [1, 2], "none": None},
        images={"a.png": np.zeros((2, 3, 3), dtype=np.uint8), "big.png": np.ones((200, 200))},
        plots={"roc": {"data": [{"x": 1}], "template": "linear"}},
        timestamp=12.5,
    )
    close(run)

    assert seq == 2
    folder = only_queue(spool)
    (event,) = data(folder)
    assert before <= event.time <= time.time()
    assert (event.step, event.timestamp) == (7, 12500)
    assert event.metrics == {"train/loss": 0.5, "bad": "nan", "n": 3, "ok": True, "text": "t"}
    assert event.params == {"lr": 0.1, "layers": [1, 2], "none": None}
    assert event.plots == {"roc": Plot(rows=[{"x": 1}], props={"template": "linear"})}
    small, big = event.images["a.png"], event.images["big.png"]
    assert (small.format, small.size, small.height, small.width, small.channels) == ("raw", 18, 2, 3, 3)
    assert small.data is not None
    assert big.blob is not None
    assert read_blob(folder, big.blob) == b"\xff" * 40_000


def test_steps_begin_at_0_and_go_on_one_past_the_last_whatever_that_was(spool: Path, begin: Callable[..., Run]) -> None:
    run = begin()
    assert run.step is None
    seen: list[int | None] = []
    for step in (None, None, 10, None, 3, None, np.int64(100), None, 5):
        run.emit({"loss": 1}, step=step)
        seen.append(run.step)
    run.emit(params={"lr": 1})
    close(run)

    assert seen == [0, 1, 10, 11, 3, 4, 100, 101, 5]
    assert steps(only_queue(spool)) == [*seen, 6]


def test_a_run_of_the_same_name_goes_on_after_the_last_step(spool: Path, begin: Callable[..., Run]) -> None:
    for first, last in ((0, 4), (5, 9)):
        run = begin()
        assert run.step == (None if first == 0 else first - 1)
        for _ in range(5):
            run.emit({"loss": 1})
        assert run.step == last
        close(run)
    other = begin("another")

    assert other.step is None
    queues = list(layout.writer_folders(spool))[:2]
    assert [steps(folder) for folder in queues] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert [info(folder).role for folder in queues] == ["primary", "primary"]


def test_a_refused_argument_stores_nothing_and_moves_no_step(spool: Path, begin: Callable[..., Run]) -> None:
    run = begin()
    run.emit({"loss": 1})
    bad: list[dict[str, Any]] = [
        {"metrics": {"loss": None}},
        {"metrics": 5},
        {"metrics": {"fresh": 1}, "params": {"a": object()}},
        {"metrics": {"fresh": 1}, "images": {"a.png": b"no image"}},
        {"metrics": {"fresh": 1}, "plots": {"p": 5}},
        {"metrics": {"fresh": 1}, "timestamp": "now"},
        {"metrics": {"fresh": 1}, "step": 1.5},
        {"metrics": {"loss/fresh": 1}},
        {"step": 2**63},
    ]
    for arguments in bad:
        with pytest.raises(InvalidEventError):
            run.emit(**arguments)
        assert run.step == 0
    run.emit({"fresh/below": 1})  # a refused event has not taken the name
    close(run)

    assert [event.metrics for event in data(only_queue(spool))] == [{"loss": 1}, {"fresh/below": 1}]
    assert run.refused == {}


def test_names_are_checked_also_where_they_are_known_and_the_values_are_plain(
    spool: Path, begin: Callable[..., Run]
) -> None:
    run = begin()
    values = [0.5, 1, float("nan"), float("inf"), True, "text", np.float64(2), 2**63, -(2**63), 1e308, 10**400]
    for value in values[:-1]:
        assert run.emit({"a": value, "b": value}) is not None
    with pytest.raises(InvalidEventError, match="64 bits") as caught:
        run.emit({"a": 1, "b": values[-1]})
    close(run)

    assert caught.value.field == "metrics['b']"
    found = [event.metrics["a"] for event in data(only_queue(spool))]
    assert found == [0.5, 1, "nan", "inf", True, "text", 2.0, 2**63, -(2**63), 1e308]


def test_the_last_step_of_64_bits_has_none_after_it(begin: Callable[..., Run]) -> None:
    run = begin()
    assert run.emit({"a": 1}, step=2**63 - 1) == 2
    with pytest.raises(InvalidEventError) as caught:
        run.emit({"a": 1})
    assert caught.value.field == "step"
    assert run.emit({"a": 1}, step=0) == 3


@pytest.mark.parametrize("count", [600, 5000])
def test_an_event_of_many_metrics_is_stored_whole(count: int, spool: Path, begin: Callable[..., Run]) -> None:
    run = begin()
    metrics = {f"group{number % 50}/metric-with-a-long-name-{number}": number / 7 for number in range(count)}
    for _ in range(2):
        assert run.emit(metrics)
    close(run)

    assert [event.metrics for event in data(only_queue(spool))] == [metrics, metrics]


def test_eight_threads_emit_and_every_number_is_there_once(spool: Path, begin: Callable[..., Run]) -> None:
    run = begin()
    got: list[list[int | None]] = [[] for _ in range(THREADS)]

    def emit(thread: int) -> None:
        for number in range(EACH):
            got[thread].append(run.emit({"thread": thread, "number": number}, step=number))

    threads = [threading.Thread(target=emit, args=[thread]) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close(run)

    found = {seq: event for seq, event in enumerate(events(only_queue(spool)), start=1) if isinstance(event, Data)}
    assert len(found) == THREADS * EACH
    for who in range(THREADS):
        mine = [found[seq].metrics for seq in got[who] if seq is not None]
        assert mine == [{"thread": who, "number": number} for number in range(EACH)]
    assert run.refused == {}


def test_with_durability_power_an_event_is_committed_when_emit_returns(spool: Path, begin: Callable[..., Run]) -> None:
    run = begin(durability="power")
    for count in range(1, 20):
        assert run.emit({"loss": 1}) == count + 1
        assert len(rows(layout.segment_path(only_queue(spool), 1))) == count + 1


def test_ending_twice_is_ending_once_and_what_comes_later_is_counted(spool: Path, begin: Callable[..., Run]) -> None:
    run = begin()
    run.emit({"loss": 1})
    before = time.monotonic()
    assert run.end() is None
    assert run.end() is None
    assert time.monotonic() - before < 0.5
    assert run.ended
    assert run.emit({"loss": 2}) is None
    assert run.emit({"loss": 2}, images={"a.png": np.ones((300, 300))}) is None
    close(run)

    assert run.refused == {"closed": 2}
    assert [type(event) for event in events(only_queue(spool))] == [Start, Data, Done]


def test_where_nobody_delivers_the_wait_at_the_end_is_over_at_once_and_tells_what_is_left(
    begin: Callable[..., Run],
) -> None:
    run = begin()
    run.emit({"loss": 1})
    before = time.monotonic()

    assert run.end(wait_s=30.0) == 3
    assert time.monotonic() - before < 2.0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"baseline_sha": "abc"}, "baseline_sha"),
        ({"baseline_sha": 5}, "baseline_sha"),
        ({"durability": "forever"}, "durability"),
        ({"daemon": "on"}, "daemon"),
        ({"ranks": "some"}, "ranks"),
        ({"message": 5}, "message"),
        ({"message": "\ud800"}, "message"),
        ({"subdir": 5}, "subdir"),
        ({"repo_url": b"x"}, "repo_url"),
        ({"dir": 5}, "dir"),
        ({"dir": ""}, "dir"),
        ({"spool": 5}, "spool"),
        ({"spool": b"x"}, "spool"),
    ],
    ids=str,
)
def test_an_argument_of_init_that_cannot_be_used_is_refused_by_name(
    arguments: dict[str, Any], field: str, spool: Path, begin: Callable[..., Run]
) -> None:
    with pytest.raises(InvalidEventError) as caught:
        begin(**arguments)

    assert caught.value.field == field
    assert not spool.exists()


def test_a_variable_that_cannot_be_used_is_an_error(begin: Callable[..., Run]) -> None:
    os.environ["LIVESTREAM_DURABILITY"] = "forever"
    with pytest.raises(ConfigError, match="LIVESTREAM_DURABILITY"):
        begin()


def test_a_training_whose_spool_cannot_be_used_goes_on(tmp_path: Path, begin: Callable[..., Run]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with begin(spool=tmp_path / "file" / "spool") as run:
        assert run.emit({"loss": 1}) is None
        assert run.emit({"loss": 1}, images={"a.png": np.ones((3, 3))}, plots={"p": []}) is None
        with pytest.raises(InvalidEventError):
            run.emit({"loss": None})
    assert run.refused == {"spool": 3}
    assert run.end(wait_s=5.0) == 0


@pytest.mark.parametrize(
    ("share", "stored", "trimmed", "refused"),
    [
        (0.5, [(2, 0), (0, 1), (0, 0)], 0, 0),
        (0.92, [(0, 0), (0, 1), (0, 0)], 1, 0),
        (0.97, [(0, 0), (0, 0)], 1, 1),
        (1.5, [], 0, 3),
    ],
)
def test_at_the_quota_images_go_first_then_plots_then_scalars_and_never_start_and_done(
    share: float, stored: list[tuple[int, int]], trimmed: int, refused: int, spool: Path, begin: Callable[..., Run]
) -> None:
    quota = 2**30
    os.environ["LIVESTREAM_QUOTA_BYTES"] = str(quota)
    told = Published(pid=1, host="", version="", socket="", spool_bytes=int(share * quota), updated=time.time())
    write_whole(layout.private_folder(spool) / layout.PUBLISHED_FILE, msgspec.json.encode(told))
    run = begin()
    assert run._session is not None
    writer = run._session.writer
    assert writer is not None
    eventually(lambda: writer.allowance is allowance(int(share * quota), quota))
    run.emit({"loss": 1}, images={"a.png": np.ones((200, 200)), "b.png": np.ones((2, 2))})
    run.emit({"loss": 1}, plots={"p": [{"x": 1}]})
    run.emit({"loss": 1})
    close(run)

    assert [(len(event.images), len(event.plots)) for event in data(only_queue(spool))] == stored
    counters = read_counters(only_queue(spool) / layout.JOURNAL_FILE)
    assert (counters.trimmed, sum(counters.refused.values())) == (trimmed, refused)
    assert counters.refused == run.refused
    assert isinstance(events(only_queue(spool))[0], Start)
    assert isinstance(events(only_queue(spool))[-1], Done)


def test_a_second_run_of_the_experiment_in_this_process_adds_to_it_and_ends_nothing(
    spool: Path, begin: Callable[..., Run]
) -> None:
    first, second = begin(), begin()
    first.emit({"a": 1})
    second.emit({"b": 1})
    close(second)
    first.emit({"a": 2})
    close(first)

    assert [type(event) for event in events(queue_of(spool, "contributor"))] == [Data]
    assert [type(event) for event in events(queue_of(spool, "primary"))] == [Start, Data, Data, Done]


@pytest.mark.parametrize("mode", ["local", "shared"])
def test_the_segment_and_the_journal_hold_the_same_in_either_mode(
    mode: str, spool: Path, begin: Callable[..., Run]
) -> None:
    os.environ["LIVESTREAM_SPOOL_MODE"] = mode
    run = begin()
    for number in range(300):
        run.emit({"number": number})
    close(run)

    found = [msgspec.json.decode(body)["metrics"]["number"] for body in bodies(only_queue(spool))[1:-1]]
    assert found == list(range(300))
