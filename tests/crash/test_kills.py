"""SIGKILL, SIGSTOP and outages at random instants: nothing that emit accepted is lost, whoever dies when."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import ROUNDS, Dice, Storms, judge
from processes import Process, until
from stage import Profile, Stage

from livestream.testing import Answer

pytestmark = [
    pytest.mark.crash,
    pytest.mark.timeout(300),
    # A server that is killed amid a request leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PROFILES: list[Profile] = ["stock", "livestream"]


@pytest.fixture(params=[(number, PROFILES[number % 2]) for number in range(ROUNDS)], ids=lambda param: f"{param}")
def round_of(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Stage, Dice, Storms]]:
    number, profile = request.param
    dice = Dice(request.node.originalname, number)
    with Stage(tmp_path, profile) as stage:
        yield stage, dice, Storms(stage, dice)


def _pause(dice: Dice, longest_s: float) -> None:
    time.sleep(dice.uniform(0, longest_s))  # a random instant is what is wanted here


def test_the_writer_is_killed_again_and_again(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    stage.serve()
    for _ in range(5):
        storm = storms.begin("run", threads=dice.randint(1, 3))
        _pause(dice, 0.3)
        storm.kill()
    storms.begin("run")
    _pause(dice, 0.2)
    storms.end()
    stage.await_done()
    assert storms.accepted > 5
    stage.end_daemon()
    judge(stage, storms)
    assert stage.experiment().order.count("start") == 6


def test_the_daemon_is_killed_again_and_again(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    storms.begin("one")
    storms.begin("two", threads=2)
    kills = 0
    stage.studio.rule(lambda _, __: dice.random() < 0.3, Answer.late(0.05))
    for _ in range(6):
        daemon = stage.serve()
        seen = len(stage.ledger.requests)
        if dice.random() < 0.5:
            stage.await_ledger(lambda ledger, seen=seen: len(ledger.requests) > seen)  # type: ignore[misc]
        _pause(dice, 0.1)
        kills += daemon.running
        daemon.kill()
    storms.end()
    assert kills == 6
    judge(stage, storms)


def test_the_daemon_is_killed_between_the_answer_and_its_books(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    storms.begin("run")
    late = stage.studio.rule(lambda body, _: body["type"] == "data", Answer.late(0.4))
    for _ in range(4):
        daemon = stage.serve()
        stored = sum(entry.ingested or entry.repeat for entry in stage.ledger.requests if entry.kind == "data")
        stage.await_ledger(
            lambda ledger, stored=stored: (  # type: ignore[misc]
                sum(entry.ingested or entry.repeat for entry in ledger.requests if entry.kind == "data") > stored
            )
        )
        _pause(dice, 0.3)  # it is stored, and the answer is not out yet
        daemon.kill()
    late.remove()
    storms.end()
    judge(stage, storms)
    assert stage.ledger.repeats == 4


def test_writer_and_daemon_are_killed_together(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    for _ in range(4):
        storm, daemon = storms.begin("run", threads=2), stage.serve()
        _pause(dice, 0.4)
        doomed = [storm, daemon]
        dice.shuffle(doomed)
        for process in doomed:
            process.kill()
    assert storms.accepted > 4
    judge(stage, storms)
    assert [error["cls"] for error in stage.experiment().errors] == ["livestream.WriterDied"]


def test_the_server_is_killed_and_comes_back(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    stage.serve()
    storms.begin("one")
    storms.begin("two")
    failed = 0
    for _ in range(3):
        _pause(dice, 0.3)
        stage.studio.stop()
        _pause(dice, 0.5)
        stage.studio.start()
        seen = len(stage.ledger.requests)
        stage.await_ledger(lambda ledger, seen=seen: len(ledger.requests) > seen)  # type: ignore[misc]
        failed += 1
    storms.end()
    stage.end_daemon()
    judge(stage, storms)
    assert failed == 3


def test_answers_are_lost_in_every_way_that_sockets_know(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    bad = [
        Answer.lost(),
        Answer.reset(ingest=True),
        Answer.reset("mid_answer", ingest=True),
        Answer.reset("mid_body"),
        Answer.reset("before_body"),
        Answer.error(503),
        Answer.error(500),
    ]
    dice.shuffle(bad)
    for answer in bad:
        stage.studio.script(*(Answer() for _ in range(dice.randint(1, 3))), answer)
    storms.begin("one", pause_s=0.1)
    stage.serve()
    until(lambda: stage.studio.scripted == 0, "every fault has bitten")
    storms.end()
    stage.end_daemon()
    judge(stage, storms)
    assert stage.ledger.repeats == 3


def test_the_daemon_is_stopped_for_longer_than_its_timeouts(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    storms.begin("run")
    daemon = _impatient_daemon(stage, silence_s=1.0)
    for _ in range(2):
        stage.studio.script(Answer.late(0.3))
        seen = len(stage.ledger.requests)
        stage.await_ledger(lambda ledger, seen=seen: len(ledger.requests) > seen)  # type: ignore[misc]
        daemon.signal(signal.SIGSTOP)
        time.sleep(1.5 + dice.random())  # longer than the silence that it bears
        daemon.signal(signal.SIGCONT)
    stage.studio.script(Answer.hang(ingest=True))  # and a server that says nothing for longer than that
    until(lambda: stage.studio.scripted == 0, "the hang is met")
    seen = len(stage.ledger.requests)
    stage.await_ledger(lambda ledger: len(ledger.requests) > seen)
    storms.end()
    stage.end_daemon()
    judge(stage, storms)
    assert stage.ledger.repeats >= 1


def _impatient_daemon(stage: Stage, silence_s: float) -> Process:
    source = """
        import asyncio, sys
        from pathlib import Path
        from livestream.cli.daemon import serve
        from livestream.daemon.daemon import DaemonOptions
        from livestream.sinks.studio import Timeouts
        asyncio.run(serve(Path(sys.argv[1]), DaemonOptions(timeouts=Timeouts(silence_s=float(sys.argv[2])))))
    """
    daemon = stage.script(source, stage.spool, silence_s)
    until(lambda: stage.daemon_pid() == daemon.pid or not daemon.running, "it serves")
    return daemon


def test_forks_and_threads_all_at_once(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    stage.studio.check_order = False  # a child may outlive its parent, and what it says after the end is news
    stage.serve()
    doomed = storms.begin("doomed", forks=3, threads=3)
    storms.begin("lives", forks=3, threads=3)
    until(lambda: len(storms.noted("!")) == 24, "each thread of each process has emitted")
    _pause(dice, 0.5)
    doomed.kill()  # its children go on
    _pause(dice, 0.5)
    storms.end()
    until(lambda: _all_locks_are_free(stage), "the orphans have ended")
    stage.await_done("lives")
    stage.await_done("doomed")
    stage.end_daemon()
    judge(stage, storms)
    for name in ("lives", "doomed"):
        assert stage.experiment(name).order.count("start") == 1
        assert stage.experiment(name).order.count("done") == 1


def _all_locks_are_free(stage: Stage) -> bool:
    for row in stage.books().writers.values():
        if row.queued:
            return False
    return not any(_is_locked(folder) for folder in stage.folders())


def _is_locked(folder: Path) -> bool:
    from livestream.spool.layout import is_locked  # noqa: PLC0415

    return is_locked(folder / "lock")


def test_everything_at_once(round_of: tuple[Stage, Dice, Storms]) -> None:
    stage, dice, storms = round_of
    daemon = stage.serve()
    faults = {"writer": 0, "daemon": 0, "server": 0, "stop": 0, "lost": 0}
    names = ["one", "two"]
    alive = {name: storms.begin(name, threads=2) for name in names}
    for _ in range(8):
        _pause(dice, 0.25)
        fault = dice.choice(sorted(faults))
        faults[fault] += 1
        match fault:
            case "writer":
                name = dice.choice(names)
                alive[name].kill()
                alive[name] = storms.begin(name)
            case "daemon":
                daemon.kill()
                daemon = stage.serve()
            case "server":
                stage.studio.stop()
                _pause(dice, 0.3)
                stage.studio.start()
            case "stop":
                os.kill(daemon.pid, signal.SIGSTOP)
                _pause(dice, 0.5)
                os.kill(daemon.pid, signal.SIGCONT)
            case _:
                stage.studio.script(Answer.lost())
    storms.end()
    daemon.kill()
    assert sum(faults.values()) == 8
    judge(stage, storms)
