from __future__ import annotations

import pytest
from training_cases import run, succeed

PREFACE = """
import signal, threading, time
from livestream.spool.forking import FORK_WAIT_S, gate

entered, leave = threading.Event(), threading.Event()

def stay(seconds):
    with gate:
        entered.set()
        leave.wait(seconds)

def forked(in_child=lambda: None):
    before = time.monotonic()
    child = os.fork()
    if not child:
        signal.alarm(10)
        in_child()
        os._exit(0)
    took_s = time.monotonic() - before
    assert os.waitpid(child, 0)[1] == 0
    return took_s

def enter():
    before = time.monotonic()
    with gate, gate:
        assert time.monotonic() - before < FORK_WAIT_S

"""


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """CPython 3.12 warns of every fork beside a thread; it is what these tests are about."""
    return environ | {"PYTHONWARNINGS": "ignore::DeprecationWarning"}


def test_a_fork_waits_until_no_thread_is_inside_sqlite_and_then_all_may_enter(environ: dict[str, str]) -> None:
    script = """
    thread = threading.Thread(target=stay, args=[0.6])
    thread.start()
    entered.wait()
    took_s = forked(in_child=enter)
    assert 0.1 < took_s < FORK_WAIT_S, took_s
    enter()
    thread.join()
    assert forked(in_child=enter) < FORK_WAIT_S
    """
    assert succeed(PREFACE + script.replace("\n    ", "\n"), environ) == ""


def test_a_thread_that_a_dead_disk_holds_there_does_not_hold_the_training(environ: dict[str, str]) -> None:
    script = """
    thread = threading.Thread(target=stay, args=[30])
    thread.start()
    entered.wait()
    took_s = forked(in_child=enter)
    assert FORK_WAIT_S <= took_s < FORK_WAIT_S + 5, took_s
    leave.set()
    thread.join()
    assert forked(in_child=enter) < FORK_WAIT_S
    """
    assert succeed(PREFACE + script.replace("\n    ", "\n"), environ) == ""


def test_children_open_segments_while_threads_of_their_parent_are_at_work_in_others(
    environ: dict[str, str], tmp_path: str
) -> None:
    script = """
    from pathlib import Path
    from livestream.spool import segment
    folder = Path(sys.argv[1])
    over = False

    def work(number):
        count = 0
        while not over:
            count += 1
            opened = segment.begin(folder / f"{number:04d}{count:04d}.db", "w", exclusive=True)
            for _ in range(20):
                with gate:
                    opened.connection.execute("SELECT zeroblob(1000), hex(randomblob(1000))").fetchall()
            opened.discard()

    threads = [threading.Thread(target=work, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(150):
            forked(in_child=lambda: segment.begin(folder / "99990000.db", "w", exclusive=True).connection.close())
    finally:
        over = True
    """
    ended = run(PREFACE + script.replace("\n    ", "\n"), environ, tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
