from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_cases import Queue, Scene, end_sessions, open_scene, read_queues

from livestream.client import post, sessions
from livestream.events import Done, Start
from livestream.spool.journal import read_counters
from livestream.spool.layout import JOURNAL_FILE


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with open_scene(tmp_path, monkeypatch) as scene:
        yield scene


def story(queues: list[Queue]) -> list[tuple[str, str]]:
    """Tell each queue's role and its events' types by their first letters: S, d (data), D."""
    letters = {"Start": "S", "Data": "d", "Done": "D"}
    return [(queue.info.role, "".join(letters[type(event).__name__] for event in queue.events)) for queue in queues]


CHILD_S = 20


def die_if_stuck() -> None:
    """In a forked child: a deadlock is a failure, and leaves no process behind."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(CHILD_S)


def post_in_another_process(scene: Scene, *calls: tuple[str, int]) -> int:
    """Fork, post there, and give the child's exit status: 0 where all went well."""
    pid = os.fork()
    if pid == 0:
        status = 1
        die_if_stuck()
        try:
            results = [scene.post(kind, step=step) for kind, step in calls]
            status = 0 if results == [True] * len(calls) else 2
            end_sessions()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_calls_for_one_experiment_share_a_queue_and_done_ends_it(scene: Scene) -> None:
    for kind in ("start", "data", "data", "done", "start", "data"):
        assert scene.post(kind, step=0) is True

    assert story(scene.queues()) == [("primary", "SddD"), ("primary", "Sd")]


def test_experiments_clients_urls_and_tokens_have_queues_of_their_own(scene: Scene) -> None:
    others = [{}, {"name": "b"}, {"client": "dvc"}, {"studio_url": "http://127.0.0.1:8"}, {"studio_token": "other"}]

    for more in others * 2:
        assert scene.post("data", step=0, **more) is True

    queues = scene.queues()
    assert story(queues) == [("contributor", "dd")] * 5
    assert len({queue.info.token_fingerprint for queue in queues}) == 2


def test_data_that_comes_first_begins_nothing_and_ends_nothing(scene: Scene) -> None:
    assert [scene.post("data", step=step) for step in range(3)] == [True] * 3

    assert story(scene.queues()) == [("contributor", "ddd")]


def test_done_without_a_start_is_a_primarys(scene: Scene) -> None:
    assert scene.post("done") is True
    assert [scene.post("data", step=0, name="b"), scene.post("done", name="b")] == [True, True]

    assert story(scene.queues()) == [("primary", "D"), ("contributor", "d"), ("primary", "D")]


def test_a_start_after_data_opens_a_primary(scene: Scene) -> None:
    for kind in ("data", "start", "data", "start", "done"):
        assert scene.post(kind, step=0) is True

    assert story(scene.queues()) == [("contributor", "d"), ("primary", "SdSD")]


def test_where_another_process_leads_ours_adds_and_loses_nothing(scene: Scene) -> None:
    assert scene.post("start", message="theirs") is True
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        die_if_stuck()
        try:
            os.read(ready, 1)
            post._sessions = sessions.Sessions()  # as in a process that was started, not forked
            status = 0 if [scene.post(kind, step=0) for kind in ("start", "data", "done")] == [True] * 3 else 2
            end_sessions()
        finally:
            os._exit(status)
    os.write(go, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(ready)
    os.close(go)

    assert story(scene.queues()) == [("primary", "S"), ("contributor", "SdD")]


def test_a_forked_child_adds_to_its_parents_experiment_and_never_ends_it(scene: Scene) -> None:
    assert [scene.post("start"), scene.post("data", step=0)] == [True, True]

    assert post_in_another_process(scene, ("data", 1), ("data", 2), ("done", 3)) == 0
    assert scene.post("data", step=4) is True
    assert scene.post("done") is True

    assert story(scene.queues()) == [("primary", "SddD"), ("contributor", "ddD")]


def test_a_forked_child_of_a_contributor_does_not_end_the_experiment_either(scene: Scene) -> None:
    assert scene.post("data", step=0) is True

    assert post_in_another_process(scene, ("data", 1), ("done", 2)) == 0

    assert story(scene.queues()) == [("contributor", "d"), ("contributor", "dD")]


def test_a_fork_while_another_thread_posts_does_not_block_the_child(scene: Scene) -> None:
    assert scene.post("start") is True
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with post._sessions._lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)

    assert post_in_another_process(scene, ("data", 0)) == 0

    release.set()
    thread.join()


def test_threads_that_post_at_once_lose_nothing(scene: Scene) -> None:
    results: list[bool | None] = []

    def train(name: str) -> None:
        results.extend(scene.post("data", step=step, name=name) for step in range(50))

    threads = [threading.Thread(target=train, args=(name,)) for name in "aabb"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [True] * 200
    assert story(scene.queues()) == [("contributor", "d" * 100)] * 2


def test_open_sessions_are_bounded_and_a_contributor_goes_first(scene: Scene) -> None:
    assert scene.post("start", name="kept") is True
    names = [f"n{number}" for number in range(sessions.MAX_SESSIONS + 1)]

    for name in names:
        assert scene.post("data", step=0, name=name) is True

    assert len(post._sessions._open) == sessions.MAX_SESSIONS
    assert scene.post("data", step=1, name="kept") is True
    assert scene.post("data", step=1, name=names[0]) is True
    queues = scene.queues()
    assert len(queues) == len(names) + 2
    assert story([queues[0]]) == [("primary", "Sd")]
    assert sorted(queue.info.experiment.name for queue in queues).count(names[0]) == 2


def test_an_experiment_left_open_has_no_done_of_ours_at_a_clean_exit(scene: Scene) -> None:
    assert scene.post("start") is True

    end_sessions()

    assert story(read_queues(scene.spool)) == [("primary", "S")]


def test_a_refused_done_is_counted_and_can_be_tried_again(scene: Scene) -> None:
    scene.spool.write_text("a file in its place")
    assert [scene.post("done"), scene.post("done")] == [False, False]
    (session,) = post._sessions._open.values()
    assert session.refused == {"spool": 2}

    scene.spool.unlink()
    session._next_try = 0.0  # as 30 s later
    assert scene.post("done") is True

    (queue,) = scene.queues()
    assert [type(event) for event in queue.events] == [Done, Done]
    assert read_counters(scene.spool / queue.info.uid / JOURNAL_FILE).refused == {"spool": 2}


def test_a_writer_that_vanished_is_opened_again_with_its_start(scene: Scene) -> None:
    assert scene.post("start", message="mine") is True
    (session,) = post._sessions._open.values()
    session._vanished()

    assert scene.post("data", step=0) is True

    first, second = scene.queues()
    assert story([second]) == [("primary", "Sd")]
    start = second.events[0]
    assert isinstance(start, Start)
    assert start.message == "mine"
    assert len(first.events) == 1
