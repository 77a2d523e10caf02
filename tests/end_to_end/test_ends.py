"""How runs end, and go on: done, exceptions, signals, kills, resumes, contributors, ranks."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import until
from stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture(params=["stock", "livestream"])
def either(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Stage(tmp_path, request.param) as stage:
        yield stage


def test_a_killed_training_is_done_with_an_error_that_says_so(either: Stage) -> None:
    either.serve()
    training = either.train()
    training.emit_many("loss", [1.0, 2.0])
    training.kill()
    run = either.await_done()
    assert run.values("loss") == [(0, 1.0), (1, 2.0)]
    (error,) = run.errors
    assert error["cls"] == "livestream.WriterDied"
    assert str(training.pid) in error["text"]
    assert run.order.count("done") == 1
    either.await_empty(3)
    until(lambda: either.folders() == [], "the dead writer's folder is removed")


def test_a_killed_training_that_was_taken_over_is_not_done(either: Stage) -> None:
    first = either.train()
    first.emit_many("loss", [1.0, 2.0])
    first.kill()
    second = either.train()
    assert second.emit({"loss": 3.0}) == 2
    either.serve()
    either.await_ledger(lambda ledger: ledger.rows == 3)
    assert either.experiment().status == "running"
    second.finish()
    run = either.await_done()
    assert run.values("loss") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert run.errors == []
    assert run.order.count("done") == 1
    assert run.order.count("start") == 2
    either.await_empty(6)


def test_a_run_resumed_after_its_end_is_opened_again_and_goes_on_after_its_last_step(either: Stage) -> None:
    either.serve()
    first = either.train()
    first.emit_many("loss", [1.0, 2.0])
    first.finish()
    either.await_done()
    second = either.train()
    second.emit({"acc": 0.5})
    either.await_ledger(lambda ledger: ledger.experiment("run").order.count("start") == 2)
    assert either.experiment().status == "running"
    second.finish()
    run = either.await_done()
    assert run.values("acc") == [(2, 0.5)]
    assert run.summary == {"loss": 2.0, "acc": 0.5, "step": 2}
    assert [kind for kind in run.order if kind != "data"] == ["start", "done", "start", "done"]
    either.await_empty(7)


def test_runs_of_one_name_that_queued_up_while_nobody_delivered_arrive_one_after_the_other(either: Stage) -> None:
    first = either.train()
    first.emit_many("loss", [1.0, 2.0])
    first.finish()
    second = either.train()
    second.emit({"loss": 3.0})
    third = None
    either.serve()
    either.await_ledger(lambda ledger: ledger.rows == 3)
    second.emit({"loss": 4.0})
    second.finish()
    third = either.train()
    third.emit({"loss": 5.0})
    third.finish()
    books = either.await_empty(11)
    run = either.experiment()
    assert run.values("loss") == [(step, step + 1.0) for step in range(5)]
    assert [kind for kind in run.order if kind != "data"] == ["start", "done"] * 3
    assert books.total.dead == 0


def test_an_exception_is_the_reason_of_a_failed_end(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    training.emit({"loss": 1.0})
    training.tell("raise", "the loss exploded")
    assert training.wait() == 1
    assert stage.await_done().errors == [{"cls": "RuntimeError", "text": "the loss exploded"}]
    stage.await_empty(3)


def test_ctrl_c_is_told_apart(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    training.emit({"loss": 1.0})
    training.tell("interrupt")
    assert training.wait() == -signal.SIGINT
    assert [error["cls"] for error in stage.await_done().errors] == ["KeyboardInterrupt"]


def test_sigterm_is_told_apart_and_kills_as_it_would_have(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    training.emit({"loss": 1.0})
    training.signal(signal.SIGTERM)
    assert training.wait() == -signal.SIGTERM
    run = stage.await_done()
    assert run.values("loss") == [(0, 1.0)]
    (error,) = run.errors
    assert error["cls"] == "livestream.Terminated"
    assert "SIGTERM" in error["text"]
    stage.await_empty(2)


def test_an_exit_that_says_nothing_ends_the_run_well(stage: Stage) -> None:
    stage.serve()
    training = stage.train()
    training.emit({"loss": 1.0})
    assert training.leave() == 0
    assert stage.await_done().errors == []
    stage.await_empty(3)


def test_the_context_manager_leaves_the_exception_as_the_reason(stage: Stage) -> None:
    stage.serve()
    script = stage.script(
        """
        import livestream
        try:
            with livestream.init("run") as run:
                run.emit({"loss": 1.0})
                raise ValueError("bad batch")
        except ValueError:
            pass
        """
    )
    assert script.wait() == 0
    assert stage.await_done().errors == [{"cls": "ValueError", "text": "bad batch"}]
    stage.await_empty(3)


_FORKED = """
    import os, sys, time, livestream
    who, marks = sys.argv[1], sys.argv[2]

    def wait(name):
        while not os.path.exists(f"{marks}/{name}"):
            time.sleep(0.01)

    run = livestream.init("run")
    run.emit({"parent": 1.0}, step=0)
    child = os.fork()
    if child == 0:
        for step in range(5):
            assert run.emit({"child": float(step)}, step=step) is not None
        if who == "child":
            wait("parent-is-gone")
            assert run.emit({"child": 5.0}, step=5) is not None
        run.end()
        sys.stdout.flush()
        sys.exit(0)
    if who == "parent":
        os.waitpid(child, 0)
        wait("child-is-gone")
        run.emit({"parent": 2.0}, step=1)
    run.end()
    open(f"{marks}/parent-ended", "w").close()
"""


def test_a_forked_child_that_ends_first_ends_nothing(either: Stage) -> None:
    either.serve()
    script = either.script(_FORKED, "parent", either.root)
    either.await_ledger(lambda ledger: ledger.rows == 6)
    until(lambda: len(either.books().writers) == 2, "both are in the books")
    assert either.experiment().status == "running"
    (either.root / "child-is-gone").touch()
    assert script.wait() == 0
    run = either.await_done()
    assert run.values("child") == [(step, float(step)) for step in range(5)]
    assert run.values("parent") == [(0, 1.0), (1, 2.0)]
    assert run.order.count("start") == run.order.count("done") == 1
    either.await_empty(9)
    until(lambda: either.folders() == [], "both folders are removed")


def test_a_forked_child_that_outlives_its_parent_keeps_nothing_alive_and_still_arrives(either: Stage) -> None:
    either.studio.check_order = False  # what a contributor says after the end is news all the same
    either.serve()
    script = either.script(_FORKED, "child", either.root)
    assert script.wait() == 0
    run = either.await_done()
    (either.root / "parent-is-gone").touch()
    either.await_empty(9)
    assert run.values("child") == [(step, float(step)) for step in range(6)]
    assert run.status == "done"
    assert run.order.count("start") == run.order.count("done") == 1


def test_a_second_process_with_the_same_name_contributes_and_ends_nothing(either: Stage) -> None:
    either.serve()
    primary, other = either.train(), either.train()
    primary.emit({"loss": 1.0})
    other.emit({"other": 2.0}, step=0)
    other.finish()
    until(lambda: either.books().total.delivered >= 3, "the contributor is delivered")
    assert either.experiment().status == "running"
    primary.emit({"loss": 3.0})
    primary.finish()
    run = either.await_done()
    assert run.summary == {"loss": 3.0, "other": 2.0, "step": 1}
    assert run.order.count("start") == run.order.count("done") == 1
    either.await_empty(5)


def test_ranks_that_all_record_are_told_apart_by_a_prefix(either: Stage) -> None:
    either.serve()
    ranks = [either.train(environ=either.environ(RANK=str(rank)), ranks="all") for rank in range(3)]
    for rank, training in enumerate(ranks):
        training.emit({"loss": float(rank)}, step=0, images={"a.png": {"noise": 100, "seed": rank}})
    for training in reversed(ranks):
        training.finish()
    run = either.await_done()
    assert [run.values(name) for name in ("loss", "rank1/loss", "rank2/loss")] == [
        [(0, 0.0)],
        [(0, 1.0)],
        [(0, 2.0)],
    ]
    assert run.summary == {"loss": 0.0, "rank1": {"loss": 1.0}, "rank2": {"loss": 2.0}, "step": 0}
    assert {path.removeprefix("dvclive/plots/images/") for path in run.images} == {
        "a.png",
        "rank1/a.png",
        "rank2/a.png",
    }
    either.await_empty(5)


def test_ranks_above_the_first_record_nothing_by_default(stage: Stage) -> None:
    stage.serve()
    ranks = [stage.train(environ=stage.environ(RANK=str(rank))) for rank in range(2)]
    assert [training.order("emit", {"metrics": {"loss": 1.0}}) for training in ranks] == [2, None]
    for training in ranks:
        training.finish()
    stage.await_done()
    stage.await_empty(3)


def test_a_rank_alone_in_its_spool_is_opened_but_never_ended_by_it(either: Stage) -> None:
    either.serve()
    alone = either.train(environ=either.environ(RANK="1"), ranks="all")
    alone.emit({"loss": 1.0})
    alone.finish()
    books = either.await_empty(1)
    assert books.total.delivered == 1
    run = either.experiment()
    assert run.values("rank1/loss") == [(0, 1.0)]
    assert run.order == ["start", "data"]
    until(lambda: either.folders() == [], "its folder is removed")


def test_steps_that_a_checkpoint_restart_emits_again_are_one_experiment_with_the_newest_on_top(stage: Stage) -> None:
    stage.serve()
    first = stage.train()
    first.emit_many("loss", [1.0, 2.0, 3.0])
    first.kill()
    second = stage.train()
    second.emit_many("loss", [20.0, 30.0, 40.0], first_step=1)
    second.finish()
    stage.await_empty(9)
    run = stage.experiment()
    assert run.values("loss")[-3:] == [(1, 20.0), (2, 30.0), (3, 40.0)]
    assert run.summary == {"loss": 40.0, "step": 3}
    assert len(stage.ledger.experiments) == 1
