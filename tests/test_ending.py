from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from training_cases import bodies, data, done, events, line, only_queue, rest, run, start, steps, succeed

import livestream
from livestream.errors import InvalidEventError
from livestream.events import Data, Done, Start
from livestream.run import Run
from livestream.spool import layout
from livestream.spool.journal import read_counters
from livestream.spool.layout import is_locked

TRAIN = """
import livestream, signal, time
run = livestream.init("trained")
for _ in range(3):
    run.emit({"loss": 0.5})
"""


class BrokenError(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.fixture
def begin(spool: Path) -> Iterator[Callable[[], Run]]:
    begun: list[Run] = []

    def begin() -> Run:
        begun.append(livestream.init("run", spool=spool))
        return begun[-1]

    yield begin
    for one in begun:
        close(one)


def close(run: Run) -> None:
    run.end()
    assert run._session is not None
    assert run._session.wait_sealed(10)


def leave(run: Run, error: BaseException) -> None:
    with run:
        run.emit({"loss": 1})
        raise error


@pytest.mark.parametrize(
    ("error", "cls", "text"),
    [
        (ValueError("bad input"), "ValueError", "bad input"),
        (InvalidEventError("a", "b"), "livestream.errors.InvalidEventError", "a: b"),
        (KeyboardInterrupt(), "KeyboardInterrupt", ""),
        (SystemExit(3), "SystemExit", "3"),
        (SystemExit("why"), "SystemExit", "why"),
        (RuntimeError("\ud800"), "RuntimeError", "?"),
    ],
    ids=repr,
)
def test_an_exception_inside_makes_a_failed_run_and_goes_on(
    error: BaseException, cls: str, text: str, spool: Path, begin: Callable[[], Run]
) -> None:
    run = begin()
    with pytest.raises(type(error)):
        leave(run, error)
    close(run)

    assert [(problem.cls, problem.text) for problem in done(only_queue(spool)).errors] == [(cls, text)]


@pytest.mark.parametrize("code", [0, None])
def test_leaving_with_success_is_no_failure(code: int | None, spool: Path, begin: Callable[[], Run]) -> None:
    run = begin()
    with pytest.raises(SystemExit):
        leave(run, SystemExit(code))
    close(run)

    assert done(only_queue(spool)).errors == []


def test_an_exception_whose_text_cannot_be_had_is_still_a_failure(spool: Path, begin: Callable[[], Run]) -> None:
    run = begin()
    with pytest.raises(BrokenError):
        leave(run, BrokenError())
    close(run)

    (problem,) = done(only_queue(spool)).errors
    assert problem.cls.endswith("BrokenError")
    assert "ZeroDivisionError" in problem.text


def test_the_context_gives_the_run_and_ends_it(spool: Path, begin: Callable[[], Run]) -> None:
    with begin() as run:
        run.emit({"loss": 1})
    close(run)

    assert run.ended
    assert done(only_queue(spool)).errors == []


def problems(spool: Path) -> list[tuple[str, str]]:
    return [(problem.cls, problem.text) for problem in done(only_queue(spool)).errors]


def left_signal(spool: Path) -> int:
    return read_counters(only_queue(spool) / layout.JOURNAL_FILE).signal


def stop(process: subprocess.Popen[str], number: int) -> int:
    """Send a signal; give what the process ended with."""
    process.send_signal(number)
    process.communicate(timeout=20)
    return process.returncode


def test_the_default_run_begins_at_its_first_event_and_ends_with_the_process(
    spool: Path, environ: dict[str, str]
) -> None:
    script = """
    import livestream
    say(livestream.emit({"loss": 0.5}), livestream.emit({"loss": 0.25}, step=4), livestream.emit(params={"lr": 1}))
    """
    assert succeed(script, environ) == "2 3 4\n"

    folder = only_queue(spool)
    assert [type(event) for event in events(folder)] == [Start, Data, Data, Data, Done]
    assert steps(folder) == [0, 4, 5]
    assert problems(spool) == []
    assert not is_locked(folder / "lock")


def test_the_default_run_is_the_last_one_begun_and_another_after_its_end(spool: Path, environ: dict[str, str]) -> None:
    script = """
    import livestream
    run = livestream.init("mine")
    livestream.emit({"loss": 1})
    run.end()
    livestream.emit({"loss": 2})
    """
    succeed(script, environ)

    first, second = layout.writer_folders(spool)
    assert [[event.metrics for event in data(folder)] for folder in (first, second)] == [[{"loss": 1}], [{"loss": 2}]]
    assert isinstance(events(second)[-1], Done)


@pytest.mark.parametrize("ending", ["livestream.emit", "run.emit"])
def test_an_exception_that_nobody_catches_makes_a_failed_run(ending: str, spool: Path, environ: dict[str, str]) -> None:
    ended = run(TRAIN + f"{ending}({{'loss': 1}})\nraise OSError(5, 'the disk is gone')", environ)

    assert ended.returncode == 1
    assert "OSError: [Errno 5] the disk is gone" in ended.stderr
    assert problems(spool) == [("OSError", "[Errno 5] the disk is gone")]
    assert steps(only_queue(spool)) == [0, 1, 2, 3]


def test_a_hook_that_was_there_before_is_called_too(spool: Path, environ: dict[str, str]) -> None:
    script = "sys.excepthook = lambda kind, error, traceback: say('hooked', kind.__name__)\n" + TRAIN + "1 / 0"
    ended = run(script, environ)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "hooked ZeroDivisionError\n", "")
    assert problems(spool) == [("ZeroDivisionError", "division by zero")]


def test_an_interrupt_is_told_from_an_error(spool: Path, environ: dict[str, str]) -> None:
    process = start(TRAIN + "say('up')\ntime.sleep(60)", environ)
    assert line(process) == "up"

    assert stop(process, signal.SIGINT) == -signal.SIGINT
    assert problems(spool) == [("KeyboardInterrupt", "")]


def test_a_failed_run_that_was_ended_before_the_failure_stays_complete(spool: Path, environ: dict[str, str]) -> None:
    assert run(TRAIN + "run.end()\nraise ValueError", environ).returncode == 1

    assert problems(spool) == []


def test_sigterm_ends_the_process_as_ever_and_leaves_its_number(spool: Path, environ: dict[str, str]) -> None:
    process = start(TRAIN + "say('up')\ntime.sleep(60)", environ)
    assert line(process) == "up"

    assert stop(process, signal.SIGTERM) == -signal.SIGTERM
    assert left_signal(spool) == signal.SIGTERM
    assert steps(only_queue(spool)) == [0, 1, 2]
    assert not isinstance(events(only_queue(spool))[-1], Done)
    assert not is_locked(only_queue(spool) / "lock")


def test_sigterm_in_the_middle_of_emitting_loses_nothing(spool: Path, environ: dict[str, str]) -> None:
    for round_ in range(4):
        environ["LIVESTREAM_SPOOL"] = str(spool / str(round_))
        (spool / str(round_)).mkdir(parents=True)
        process = start(TRAIN + "while True:\n    os.write(1, b'%d\\n' % run.emit({'loss': 1}))", environ)
        line(process)
        time.sleep(0.02 * round_)
        process.send_signal(signal.SIGTERM)
        acknowledged = [int(text) for text in rest(process).split("\n")[:-1]]
        assert process.returncode == -signal.SIGTERM
        assert left_signal(spool / str(round_)) == signal.SIGTERM
        assert len(bodies(only_queue(spool / str(round_)))) >= max(acknowledged, default=1)


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", 7),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", 0),
    ],
    ids=["own handler", "ignored"],
)
def test_a_handler_of_the_trainings_own_is_left_alone(
    before: str, code: int, spool: Path, environ: dict[str, str]
) -> None:
    script = f"import signal\n{before}\n{TRAIN}say('up')\nsys.stdin.readline()"
    process = start(script, environ)
    assert line(process) == "up"
    process.send_signal(signal.SIGTERM)
    process.communicate("", timeout=20)

    assert process.returncode == code
    assert left_signal(spool) == 0
    assert isinstance(events(only_queue(spool))[-1], Done)


def test_signals_are_left_alone_where_the_user_says_so(spool: Path, environ: dict[str, str]) -> None:
    environ["LIVESTREAM_SIGNALS"] = "off"
    process = start(TRAIN + "say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)\ntime.sleep(60)", environ)
    assert line(process) == "True"

    assert stop(process, signal.SIGTERM) == -signal.SIGTERM
    assert left_signal(spool) == 0
    assert steps(only_queue(spool)) == [0, 1, 2]


def test_a_run_that_begins_in_another_thread_takes_no_signals(spool: Path, environ: dict[str, str]) -> None:
    script = """
    import livestream, signal, threading
    thread = threading.Thread(target=lambda: livestream.emit({"loss": 1}))
    thread.start()
    thread.join()
    say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """
    assert succeed(script, environ) == "True\n"
    assert steps(only_queue(spool)) == [0]


def test_a_process_that_leaves_without_a_word_loses_nothing(spool: Path, environ: dict[str, str]) -> None:
    succeed(TRAIN + "os._exit(0)", environ)

    assert steps(only_queue(spool)) == [0, 1, 2]
    assert len(events(only_queue(spool))) == 4
    assert not is_locked(only_queue(spool) / "lock")


def test_exceptions_that_strike_at_any_instant_break_nothing(spool: Path, environ: dict[str, str]) -> None:
    script = """
    import livestream, random, signal, time

    class Strike(BaseException):
        pass

    def strike(*_):
        raise Strike

    run = livestream.init("struck")
    signal.signal(signal.SIGALRM, strike)
    rng = random.Random(0)
    acknowledged, strikes, over = {}, 0, time.monotonic() + 1.0
    while time.monotonic() < over:
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(5e-6, 6e-5))
            while True:
                number = len(acknowledged)
                seq = run.emit({"number": number}, step=number)
                acknowledged[seq] = number
        except Strike:
            strikes += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    say(strikes, None in acknowledged, run.refused)
    say(*[f"{seq}:{number}" for seq, number in acknowledged.items()])
    """
    first, second = succeed(script, environ).splitlines()

    assert first.endswith(" False {}")
    assert int(first.split()[0]) > 100
    stored = events(only_queue(spool))
    for pair in second.split():
        seq, number = map(int, pair.split(":"))
        event = stored[seq - 1]
        assert isinstance(event, Data)
        assert event.metrics["number"] == number


def test_the_exit_waits_for_nobody_who_does_not_answer(spool: Path, environ: dict[str, str]) -> None:
    before = time.monotonic()
    succeed(TRAIN, environ)
    bare_s = time.monotonic() - before

    environ["LIVESTREAM_END_WAIT_S"] = "30"
    before = time.monotonic()
    ended = run(TRAIN, environ)
    assert ended.returncode == 0
    assert "livestream.exit_before_delivery" in ended.stderr
    assert time.monotonic() - before < bare_s + 3
    assert [len(bodies(folder)) for folder in layout.writer_folders(spool)] == [5, 5]
