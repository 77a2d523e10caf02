"""The daemon's life: started by a training, started again when it dies, gone when there is nothing left to do."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import command_of, until
from stage import Stage

from livestream.testing import Answer

QUICK_EXIT_S = 5.0  # measured 0.1 s; the bound is for a machine that does other things


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def _auto(stage: Stage) -> dict[str, str]:
    return stage.environ(LIVESTREAM_DAEMON="auto")


def test_a_short_run_that_exits_at_once_arrives_by_the_daemon_that_it_started(stage: Stage) -> None:
    script = stage.script(
        "import livestream\nrun = livestream.init('run')\nrun.emit({'loss': 1.0})\nrun.end()", environ=_auto(stage)
    )
    assert script.wait() == 0, script.said()
    assert stage.await_done().values("loss") == [(0, 1.0)]
    stage.await_empty(3)
    pid = stage.daemon_pid()
    assert pid is not None
    assert os.getsid(pid) == pid != script.pid
    stage.end_foreign_daemon(signal.SIGTERM)
    until(lambda: command_of(pid) == "", "the daemon ends by SIGTERM")
    assert not (stage.spool / "daemon.json").exists()


def test_the_default_run_of_a_script_that_never_ends_it_arrives(stage: Stage) -> None:
    source = "import livestream\nfor step in range(3):\n    livestream.emit({'loss': float(step)})"
    script = stage.script(source, environ=_auto(stage) | {"DVC_EXP_NAME": "run"})
    assert script.wait() == 0, script.said()
    assert stage.await_done().values("loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert stage.experiment().errors == []
    stage.await_empty(5)


def test_a_daemon_that_is_killed_during_a_training_is_back_within_40_s(stage: Stage) -> None:
    first = stage.serve()
    training = stage.train(environ=_auto(stage))
    training.emit({"loss": 1.0})
    stage.await_ledger(lambda ledger: ledger.rows == 1)
    first.kill()
    killed = time.monotonic()
    training.emit({"loss": 2.0})
    until(lambda: stage.daemon_pid() not in (None, first.pid), "another daemon serves", 40.0)
    stage.await_ledger(lambda ledger: ledger.rows == 2)
    assert time.monotonic() - killed < 40.0
    training.finish()
    stage.await_done()
    stage.await_empty(4)


def test_an_idle_daemon_ends_and_leaves_nothing_running(stage: Stage) -> None:
    training = stage.train()
    training.emit({"loss": 1.0})
    daemon = stage.serve("--idle-exit", "0.5")
    stage.await_ledger(lambda ledger: ledger.rows == 1)
    time.sleep(1.5)  # three times as long as it may be idle, but its writer lives
    assert daemon.running
    training.finish()
    assert daemon.wait() == 0
    assert stage.experiment().status == "done"
    assert stage.folders() == []
    assert stage.check().total.delivered == 3
    assert stage.daemon_pid() is None


def test_what_is_held_keeps_no_daemon_alive(stage: Stage) -> None:
    stage.studio.rule(lambda _, __: True, Answer.error(404))
    training = stage.train()
    training.emit({"loss": 1.0})
    training.finish()
    assert stage.serve("--idle-exit", "0.2").wait() == 0
    assert stage.await_queued(3).total.dead == 0


def test_two_daemons_never_serve_one_spool(stage: Stage) -> None:
    first = stage.serve()
    second = stage.command("daemon", str(stage.spool))
    assert second.wait() == 7
    assert "another daemon serves" in second.said()
    assert first.running
    assert stage.daemon_pid() == first.pid


@pytest.mark.parametrize(
    "answer", [Answer.hang(), Answer.hang(ingest=True), Answer.late(1.0)], ids=["hang", "lost", "late"]
)
def test_sigterm_ends_a_daemon_within_seconds_and_the_books_are_exact(stage: Stage, answer: Answer) -> None:
    training = stage.train()
    training.emit_many("loss", [1.0, 2.0])
    training.finish()
    stage.studio.script(Answer(), answer)
    daemon = stage.serve()
    stage.await_ledger(lambda ledger: len(ledger.requests) == 2)
    daemon.signal(signal.SIGTERM)
    began = time.monotonic()
    assert daemon.wait() == 0
    assert time.monotonic() - began < 5.0 + QUICK_EXIT_S
    delivered = stage.check().total.delivered
    assert delivered in ((1,) if answer.break_at else (3, 4))
    stage.studio.clear_script()
    assert stage.drain() == 0
    assert stage.ledger.repeats == (1 if answer.ingest else 0)
    assert list(dict.fromkeys(stage.experiment().values("loss"))) == [(0, 1.0), (1, 2.0)]
    stage.await_empty(4)


def test_a_training_whose_server_hangs_leaves_at_once_and_leaves_no_thread(stage: Stage) -> None:
    stage.studio.rule(lambda _, __: True, Answer.hang())
    stage.serve()
    training = stage.train()
    training.emit_many("loss", [1.0] * 100)
    stage.await_ledger(lambda ledger: len(ledger.requests) == 1)
    began = time.monotonic()
    training.order("end")
    assert time.monotonic() - began < QUICK_EXIT_S
    until(lambda: training.order("threads") == [], "no thread of ours is left")
    began = time.monotonic()
    assert training.leave() == 0
    assert time.monotonic() - began < QUICK_EXIT_S


def test_end_waits_for_delivery_as_long_as_it_was_told(stage: Stage) -> None:
    stage.studio.rule(lambda _, __: True, Answer.error(503))
    stage.serve()
    training = stage.train()
    training.emit_many("loss", [1.0, 2.0])
    assert training.order("end", 0.3) == 4
    stage.studio.clear_script()
    assert training.order("end", 30.0) == 0
    training.leave()


def test_everything_emitted_before_a_kill_is_in_the_next_dictionary_after_the_segments_are_gone(stage: Stage) -> None:
    daemon = stage.serve()
    training = stage.train()
    for number in range(3):
        training.emit({f"early{number}": float(number), "train/loss": 0.5}, params={f"p{number}": number})
    stage.await_ledger(lambda ledger: ledger.rows == 6)
    training.finish()
    until(lambda: stage.folders() == [], "all segments are unlinked")
    daemon.kill()
    again = stage.train()
    stage.serve()
    again.emit({"late": 9.0}, params={"late": True})
    stage.await_ledger(lambda ledger: "dvclive/plots/metrics/late.tsv" in ledger.experiment("run").counts)
    run = stage.experiment()
    assert run.summary == {"early0": 0.0, "early1": 1.0, "early2": 2.0, "train": {"loss": 0.5}, "late": 9.0, "step": 3}
    assert list(run.params.values()) == [{"p0": 0, "p1": 1, "p2": 2, "late": True}]
    again.finish()
    stage.await_empty(8)


def test_backlog_and_losses_are_told_to_a_studio_that_asked_for_them(tmp_path: Path) -> None:
    with Stage(tmp_path, "livestream") as stage:
        environ = stage.environ(LIVESTREAM_QUOTA_BYTES="30000000")
        training = stage.train(environ=environ)
        training.emit({"loss": 1.0})
        refused = 0
        for step in range(40):
            news = {"metrics": {"loss": 1.0}, "images": {f"{step}.png": {"noise": 1_000_000}}, "step": step}
            refused += training.order("emit", news) is None
            time.sleep(0.06)  # the writer looks at its quota every 50 ms
        training.finish()
        assert stage.drain(bound_s=90.0) == 0
        run = stage.experiment()
        trimmed = run.losses.get("trimmed", 0)
        assert 20 < len(run.images) < 40
        assert trimmed > 0
        assert run.backlog is not None
        books = stage.check()
        assert books.total.trimmed == trimmed
        assert books.total.queued == 0
        assert sum(books.total.refused.values()) == refused
