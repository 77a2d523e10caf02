"""Heartbeats: a Studio that asks for them hears of every living writer, and no data ever waits for a beat."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import until
from stage import REPO_URL, Stage

from livestream.testing import Answer, FakeStudio, Heartbeat, Ledger

EVERY_S = 1.0  # the shortest that a Studio can ask for
BEATS_PATH = "/api/live/beats"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, "livestream", heartbeat_s=EVERY_S) as stage:
        yield stage


def _of(ledger: Ledger, name: str) -> list[Heartbeat]:
    return [beat for beat in ledger.beats if beat.experiment.name == name]


def _await_beats(stage: Stage, name: str = "run", count: int = 2) -> Heartbeat:
    """Wait for so many more beats of an experiment; give the last."""
    known = len(_of(stage.ledger, name))
    stage.await_ledger(lambda ledger: len(_of(ledger, name)) >= known + count)
    return _of(stage.ledger, name)[-1]


def _await_quiet(studio: FakeStudio) -> None:
    """Wait until no beat has come for three periods."""

    def quiet() -> bool:
        last = max((beat.time for beat in studio.ledger.beats), default=0.0)
        return time.time() - last > 3 * EVERY_S

    until(quiet, "no more beats come")


def _beat_requests(studio: FakeStudio) -> list[int | None]:
    return [entry.status for entry in studio.ledger.others if entry.path == BEATS_PATH]


def test_a_silent_training_is_heard_of_until_it_ends_and_each_request_names_all_writers(stage: Stage) -> None:
    stage.serve()
    silent, other = stage.train("silent"), stage.train("other")
    stage.await_ledger(lambda ledger: {beat.experiment.name for beat in ledger.beats} == {"silent", "other"})
    _await_beats(stage, "silent", 3)
    times = [beat.time for beat in _of(stage.ledger, "silent")]
    assert times[-1] - times[0] > 0.7 * EVERY_S * (len(times) - 1)
    last = _of(stage.ledger, "silent")[-1]
    assert (last.rows, last.bytes, last.oldest_s, last.losses) == (0, 0, 0.0, {})
    assert last.experiment.repo_url == REPO_URL
    assert {beat.writer for beat in stage.ledger.beats} == {folder.name for folder in stage.folders()}
    assert len(stage.ledger.beats) > len(_beat_requests(stage.studio))
    silent.finish()
    other.finish()
    stage.await_empty(4)
    _await_quiet(stage.studio)
    stage.check()


def test_a_killed_writer_is_heard_of_no_more(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    _await_beats(stage)
    training.kill()
    stage.await_done()
    _await_quiet(stage.studio)


def test_a_daemon_that_comes_back_during_a_silence_beats_at_once(stage: Stage) -> None:
    first = stage.serve()
    stage.train()
    _await_beats(stage)
    first.kill()
    stage.serve()
    posts = len(stage.ledger.requests)
    _await_beats(stage)
    assert len(stage.ledger.requests) == posts


def test_only_a_studio_that_asks_for_them_gets_beats(stage: Stage) -> None:
    token = "isat_another"
    studios = {"hosted": stage.another_studio("stock", token), "older": stage.another_studio("livestream", token)}
    stage.serve()
    for name, studio in studios.items():
        stage.train(name, environ=stage.environ(DVC_STUDIO_URL=studio.url, DVC_STUDIO_TOKEN=token))
    stage.train()
    for studio in studios.values():
        studio.ledger.wait_for(lambda ledger: len(ledger.experiments) == 1)
    _await_beats(stage, count=4)
    assert [_beat_requests(studio) for studio in studios.values()] == [[], []]
    assert {beat.experiment.name for beat in stage.ledger.beats} == {"run"}
    stage.check()


def test_beats_tell_what_waits_and_for_how_long_while_a_request_hangs(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    _await_beats(stage)
    rule = stage.studio.rule(lambda body, _: body["type"] == "data", Answer.hang())
    training.emit_many("loss", [0.5] * 40)
    stage.await_ledger(lambda _: rule.hits > 0)
    stage.await_ledger(lambda ledger: _of(ledger, "run")[-1].rows == 40 and _of(ledger, "run")[-1].bytes > 400)
    earlier = _of(stage.ledger, "run")[-1]
    later = _await_beats(stage)
    assert later.oldest_s >= earlier.oldest_s + 0.5 * EVERY_S
    rule.remove()
    stage.studio.stop()
    stage.studio.start()
    stage.await_ledger(lambda ledger: ledger.rows == 40)
    stage.await_ledger(lambda ledger: _of(ledger, "run")[-1].rows == 0)
    training.finish()
    stage.await_empty(42)


def test_losses_are_told_though_nothing_else_can_be(stage: Stage) -> None:
    stage.serve()
    training = stage.train(environ=stage.environ(LIVESTREAM_QUOTA_BYTES="30000000"))
    _await_beats(stage)
    rule = stage.studio.rule(lambda body, _: body["type"] == "data", Answer.hang())
    for step in range(40):
        training.order("emit", {"images": {f"{step}.png": {"noise": 1_000_000}}, "step": step})
        time.sleep(0.06)  # the writer looks at its quota every 50 ms
    stage.await_ledger(lambda ledger: _of(ledger, "run")[-1].losses.get("trimmed", 0) > 0)
    assert rule.hits == 1


def test_no_beat_goes_to_a_studio_that_is_held_or_down_and_they_come_again_with_the_data(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    _await_beats(stage)
    rule = stage.studio.rule(lambda body, _: body["type"] == "data", Answer.error(404, "moved"))
    training.emit({"loss": 1.0})
    stage.await_studio_held()
    _await_quiet(stage.studio)
    rule.remove()
    stage.ask("sync")
    stage.await_ledger(lambda ledger: ledger.rows == 1)
    _await_beats(stage)
    stage.studio.stop()
    training.emit({"loss": 2.0})
    until(lambda: any(row.state == "waiting" for row in stage.targets()), "the outage is noticed")
    asked = len(stage.ledger.others)
    stage.studio.start()
    stage.await_ledger(lambda ledger: ledger.rows == 2)
    assert len(stage.ledger.others) == asked
    _await_beats(stage)
    training.finish()
    stage.await_empty(4)


@pytest.mark.parametrize(
    "answer",
    [Answer.hang(), Answer.reset(), Answer.error(500), Answer.error(401), Answer.error(404), Answer.html()],
    ids=["hang", "reset", "500", "401", "404", "page"],
)
def test_a_beat_that_fails_costs_the_data_nothing_and_is_not_sent_again(stage: Stage, answer: Answer) -> None:
    daemon = stage.serve()
    stage.studio.script_beats(*[answer] * 50)
    training = stage.train()
    until(lambda: len(_beat_requests(stage.studio)) > 0, "the first beat is sent")
    for step in range(3):
        training.emit({"loss": float(step)})
        stage.await_ledger(lambda ledger, rows=step + 1: ledger.rows == rows, 5.0)  # type: ignore[misc]
    assert {row.state for row in stage.targets()} == {"up"}
    training.finish()
    stage.await_empty(5)
    assert len(_beat_requests(stage.studio)) < 20
    assert daemon.said().count("beats_refused") == (answer.break_at is None and answer.status != 500)


def test_a_studio_that_asks_for_patience_gets_the_next_beat_when_it_is_time(stage: Stage) -> None:
    stage.studio.script_beats(Answer.error(429, retry_after="4"))
    stage.serve()
    stage.train()
    until(lambda: _beat_requests(stage.studio) == [429], "the first beat is refused")
    asked = time.time()
    _await_beats(stage, count=1)
    assert stage.ledger.beats[0].time - asked > 3.0


def test_a_stopped_training_beats_on_and_an_offline_one_never_does(stage: Stage) -> None:
    stage.serve()
    stopped = stage.train()
    stage.train("offline", environ=stage.environ(DVC_STUDIO_OFFLINE="1"))
    _await_beats(stage)
    stopped.signal(signal.SIGSTOP)
    _await_beats(stage)
    stopped.signal(signal.SIGCONT)
    assert _of(stage.ledger, "offline") == []


def test_what_updates_say_of_the_backlog_leaves_out_what_they_bring(stage: Stage) -> None:
    training = stage.train()
    training.emit_many("loss", [0.5] * 50)
    training.finish()
    assert stage.drain() == 0
    told = [entry.headers.get("livestream-backlog") for entry in stage.ledger.requests]
    assert [entry.kind for entry in stage.ledger.requests] == ["start", "data", "done"]
    assert [text and int(text.split(",")[0]) for text in told] == [51, 1, None]
