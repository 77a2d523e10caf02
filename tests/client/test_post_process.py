from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_cases import REPO_URL, SHA, TOKEN, Scene, open_scene, read_queues

from livestream.events import Done
from livestream.spool.journal import read_counters
from livestream.spool.layout import DAEMON_LOCK, JOURNAL_FILE, STATE_FILE, FileLock, read_writer_info, writer_folders
from livestream.spool.rows import Acknowledgement, DeadLetter, NewWriter
from livestream.spool.state import State

HEAD = f"""
import os, signal, sys, time
from livestream import post_live_metrics
def post(kind, **more):
    more = {{"studio_token": {TOKEN!r}, "studio_repo_url": {REPO_URL!r}, "studio_url": "http://127.0.0.1:9", **more}}
    return post_live_metrics(kind, {SHA!r}, "run", "dvclive", **more)
"""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with open_scene(tmp_path, monkeypatch) as scene:
        yield scene


def environ_of_child() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "LIVESTREAM_SIGNALS": "on"}


def run(program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HEAD + program],
        env=environ_of_child() | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_posting_loads_no_heavy_module(scene: Scene) -> None:
    heavy = (
        "{'requests', 'voluptuous', 'aiohttp', 'aiosqlite', 'asyncio', 'click', 'numpy', 'PIL', 'subprocess', 'ssl'}"
    )
    program = f"import livestream.client.post\nprint(post('start'), post('done'), sorted({heavy} & set(sys.modules)))"

    answer = run(program)

    assert answer.stdout.split("\n")[0] == "True True []", answer.stderr


def test_what_was_accepted_survives_a_kill(scene: Scene) -> None:
    answer = run("print(post('start'), post('data', step=0), flush=True); os.kill(os.getpid(), signal.SIGKILL)")

    assert answer.stdout == "True True\n", answer.stderr
    assert answer.returncode == -9
    (folder,) = writer_folders(scene.spool)
    held = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    assert b'"type":"start"' in held
    assert b'"type":"data"' in held


def test_an_exception_that_nobody_caught_is_the_experiments_failure(scene: Scene) -> None:
    answer = run("post('start'); post('data', step=0, plots={'a': {'image': ''}}); raise RuntimeError('no memory')")

    assert answer.returncode == 1
    (queue,) = read_queues(scene.spool)
    done = queue.events[-1]
    assert isinstance(done, Done)
    assert [(problem.cls, problem.text) for problem in done.errors] == [("RuntimeError", "no memory")]


def test_sigterm_leaves_word_and_still_kills(scene: Scene) -> None:
    answer = run("post('start'); os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)")

    assert answer.returncode == -15
    (folder,) = writer_folders(scene.spool)
    assert read_counters(folder / JOURNAL_FILE).signal == 15


def test_exit_is_quick_without_a_daemon_also_where_it_may_wait(scene: Scene) -> None:
    started = time.monotonic()
    answer = run("post('start'); post('done')", LIVESTREAM_END_WAIT_S="30")

    assert answer.returncode == 0, answer.stderr
    assert time.monotonic() - started < 15


FATE = """
from livestream.client import post as module
post('start'), post('data', step=0)
print(next(iter(module._sessions._open.values())).writer.info.uid, flush=True)
sys.stdin.readline()
print([post('data', step=n, wait_s=0.2 if n == 6 else 20.0) for n in (3, 4, 5, 6)])
"""


def test_waiting_tells_what_was_taken_from_what_is_dead_and_what_is_late(scene: Scene) -> None:
    """The books are written here as a daemon would, ahead of the events; its lock says that it is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + FATE],
        env=environ_of_child(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        uid = process.stdout.readline().strip()
        serving = FileLock(scene.spool / DAEMON_LOCK)
        assert serving.take()
        info = read_writer_info(scene.spool / uid)
        assert info is not None
        state, _ = State.open(scene.spool / STATE_FILE, shared=False)
        experiment = state.ensure_experiment(info.experiment).id
        state.ensure_writer(NewWriter(uid=uid, experiment_id=experiment, role="primary", info=b"{}", at=0.0))

        def letter(seq: int, count: int) -> DeadLetter:
            return DeadLetter(
                writer=uid, experiment_id=experiment, seq=seq, count=count, reason="HTTP 400", at=0.0, kind="dead"
            )

        state.acknowledge(
            Acknowledgement(
                writer=uid, experiment_id=experiment, cursor=5, delivered=4, dead=(letter(3, 0), letter(4, 1)), at=0.0
            )
        )
        state.close()
        answer, said = process.communicate("\n", timeout=60)
        serving.release()

    assert answer == "[True, False, True, False]\n"
    assert said == ("Failed to post to Studio: it is a dead letter\nFailed to post to Studio: no answer in 0.2 s\n")
