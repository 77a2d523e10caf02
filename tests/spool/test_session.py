from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from training_cases import EXPERIMENT, bodies, data, events, eventually, info, only_queue, queue_of, small_disk, steps
from training_cases import line as next_line
from training_cases import start as start_script

from livestream import config
from livestream.events import Data, Done, Image, Start, encode
from livestream.spool import layout
from livestream.spool.journal import read_counters
from livestream.spool.quota import Weight
from livestream.spool.session import Destination, Session, SessionOptions
from livestream.spool.writer import SpoolWriter

TOKEN = "isat_s3cr3t"
THREADS = 8


@pytest.fixture
def open_session(spool: Path) -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def make(**changes: object) -> Session:
        options = SessionOptions(
            spool=spool, experiment=EXPERIMENT, directory="dvclive", version="0.1.0", start_daemon=False
        )
        options = msgspec.structs.replace(options, **changes)
        opened.append(Session(options, {}, lambda: encode(Start(time=1.0))))
        return opened[-1]

    yield make
    for session in opened:
        session.end()
        assert session.wait_sealed(10)


def an_event(step: int = 0) -> Data:
    return Data(time=1.0, step=step, metrics={"loss": 0.5})


def emit(session: Session, step: int = 0) -> int | None:
    return session.record(an_event(step), Weight.SCALARS, step)


def journal_counts(session: Session) -> dict[str, int]:
    assert session.writer is not None
    return read_counters(session.writer.folder / layout.JOURNAL_FILE).refused


def is_moved(writer: SpoolWriter) -> bool:
    return not writer.pending


def may_try_again(session: Session) -> None:
    """Let the 30 s between two tries be over."""
    session._next_try = time.monotonic()


def test_a_primary_opens_its_experiment_and_a_second_writer_adds_to_it(
    spool: Path, open_session: Callable[..., Session]
) -> None:
    first, second = open_session(), open_session()
    assert (first.role, second.role) == ("primary", "contributor")
    assert (emit(first, 3), emit(second, 4)) == (2, 1)
    first.end()
    assert first.wait_sealed(10)

    assert [type(event) for event in events(queue_of(spool, "primary"))] == [Start, Data]
    third = open_session()
    assert (third.role, third.last_step) == ("primary", 3)


def test_another_experiment_in_the_same_spool_is_its_own(open_session: Callable[..., Session]) -> None:
    other = msgspec.structs.replace(EXPERIMENT, name="other")

    assert [open_session(experiment=experiment).role for experiment in (EXPERIMENT, other)] == ["primary"] * 2
    assert open_session(experiment=other, contributor=True).role == "contributor"


def test_a_killed_primary_leaves_its_place_and_its_step(
    spool: Path, environ: dict[str, str], open_session: Callable[..., Session]
) -> None:
    script = """
    from livestream.spool.session import *
    from training_cases import EXPERIMENT
    from test_session import emit
    spool = layout.Path(sys.argv[1])
    options = SessionOptions(spool=spool, experiment=EXPERIMENT, directory="d", version="0", start_daemon=False)
    session = Session(options, {}, lambda: b"{}")
    for step in range(5, 9):
        emit(session, step)
    say(session.role)
    sys.stdin.readline()
    """
    environ["PYTHONPATH"] += f":{Path(__file__).parent}"
    process = start_script(script, environ, spool)
    assert next_line(process) == "primary"
    assert open_session().role == "contributor"
    process.kill()
    process.communicate()

    resumed = open_session()
    assert (resumed.role, resumed.last_step) == ("primary", 8)


def test_a_spool_that_cannot_be_made_refuses_and_counts_and_its_counts_go_to_the_next_writer(
    spool: Path, open_session: Callable[..., Session]
) -> None:
    spool.write_bytes(b"a file where the spool should be")
    session = open_session()
    assert session.store_image(Image(format="png", size=3), b"png") is None

    threads = [threading.Thread(target=lambda: [emit(session) for _ in range(500)]) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.refused == {"spool": 500 * THREADS}

    spool.unlink()
    assert emit(session) is None  # 30 s are not over
    may_try_again(session)
    assert emit(session) is None  # this one sends a thread to try
    eventually(lambda: session.writer)
    assert emit(session, 7) == 2
    assert session.refused == journal_counts(session) == {"spool": 500 * THREADS + 2}
    assert steps(only_queue(spool)) == [7]


def test_a_disk_that_became_read_only_is_a_spool_that_cannot_be_used(open_session: Callable[..., Session]) -> None:
    with small_disk("8m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        session = open_session(spool=disk)
        assert emit(session) is None
        assert session.refused == {"spool": 1}
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        may_try_again(session)
        emit(session)
        eventually(lambda: session.writer)
        assert emit(session) == 2
        session.end()
        assert session.wait_sealed(10)


def test_a_disk_too_full_for_a_writer_is_tried_again_without_leaving_anything(
    open_session: Callable[..., Session],
) -> None:
    with small_disk("200k") as disk:
        session = open_session(spool=disk)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            may_try_again(session)
            assert emit(session) is None
            eventually(lambda: not any(thread.name == "livestream-reopen" for thread in threading.enumerate()))
        assert list(layout.writer_folders(disk)) == []
        assert len(os.listdir("/proc/self/fd")) == before
        session.end()


def test_a_spool_that_vanished_is_made_again_and_what_was_lost_is_counted(
    spool: Path, open_session: Callable[..., Session]
) -> None:
    session = open_session()
    for step in range(3):
        emit(session, step)
    lost = session.writer
    assert lost is not None
    shutil.rmtree(spool)
    accepted = emit(session, 3)
    assert accepted == 5  # safe, as far as anybody can tell yet
    eventually(lambda: session.writer not in {None, lost}, within_s=3)

    assert emit(session, 4) == 2
    assert session.role == "primary"
    counts = session.refused
    assert counts == journal_counts(session)
    assert counts.keys() == {"vanished"}
    assert 1 <= counts["vanished"] <= 5
    assert steps(only_queue(spool)) == [4]
    session.end()
    assert session.wait_sealed(10)
    resumed = open_session()
    assert resumed.last_step == 4


def test_a_writers_folder_that_vanished_alone_is_noticed_too(spool: Path, open_session: Callable[..., Session]) -> None:
    session = open_session()
    emit(session)
    lost = session.writer
    assert lost is not None
    shutil.rmtree(lost.folder)
    emit(session)
    eventually(lambda: session.writer not in {None, lost}, within_s=3)

    assert emit(session, 9) == 2
    assert [type(event) for event in events(only_queue(spool))] == [Start, Data]


def test_a_shared_spool_has_no_file_that_another_host_could_not_map_and_says_why_once(
    spool: Path, open_session: Callable[..., Session], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        session = open_session(mode="shared")
        assert session.writer is not None
        assert info(session.writer.folder).shared
        assert session.writer._journal._map is None
        for step in range(50):
            assert emit(session, step)
        writer = session.writer
        eventually(partial(is_moved, writer))
        assert list(spool.rglob("*-shm")) == []
        session.end()
        assert session.wait_sealed(10)

    said = [record for record in caplog.records if record.message == "livestream.spool_is_shared"]
    assert [vars(record)["reason"] for record in said] == ["LIVESTREAM_SPOOL_MODE=shared"]
    assert [len(bodies(folder)) for folder in layout.writer_folders(spool)] == [51, 51]


def test_a_token_is_handed_over_and_never_written_down(spool: Path, open_session: Callable[..., Session]) -> None:
    destination = Destination(url="https://studio", token=lambda: TOKEN, config_folder="/project")
    session = open_session(destination=destination, fingerprint=config.fingerprint)
    emit(session)
    assert session.writer is not None
    said = info(session.writer.folder)
    session.end()
    assert session.wait_sealed(10)

    assert said.url == "https://studio"
    assert said.config_folder == "/project"
    assert said.token_fingerprint == config.fingerprint(TOKEN, layout.spool_key(spool))
    files = [path for path in spool.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)


def test_a_token_without_its_url_is_not_handed_over(open_session: Callable[..., Session]) -> None:
    session = open_session(destination=Destination(token=lambda: TOKEN), fingerprint=config.fingerprint)

    assert session.writer is not None
    assert info(session.writer.folder).token_fingerprint is None


@pytest.mark.parametrize("size", [1_000, 70_000, 5_000_000])
def test_an_event_of_any_size_is_stored_whole(size: int, spool: Path, open_session: Callable[..., Session]) -> None:
    session = open_session()
    event = Data(time=1.0, step=1, params={"text": "x" * size})
    assert session.record(event, Weight.SCALARS, 1) == 2

    folder = only_queue(spool)
    assert events(folder)[1] == event
    assert len(os.listdir(folder / "blobs")) == (size > 65_536)
    assert max(map(len, bodies(folder))) < 65_536


def test_a_large_event_for_which_there_is_no_room_is_counted_and_leaves_no_blob(
    spool: Path, open_session: Callable[..., Session]
) -> None:
    session = open_session(quota_bytes=1)
    assert session.writer is not None
    writer = session.writer
    eventually(lambda: writer.allowance is Weight.EDGE)
    assert session.record(Data(time=1.0, step=1, params={"text": "x" * 70_000}), Weight.SCALARS, 1) is None
    assert session.store_image(Image(format="png", size=70_000), b"x" * 70_000) is None

    assert session.refused == {"quota": 1}
    assert os.listdir(only_queue(spool) / "blobs") == []
    assert session.record(Done(time=2.0), Weight.EDGE) == 2


def test_a_small_image_travels_in_its_event_and_a_large_one_beside_it(open_session: Callable[..., Session]) -> None:
    session = open_session()
    small = session.store_image(Image(format="png", size=5), b"small")
    large = session.store_image(Image(format="raw", size=100_000), bytes(100_000))

    assert small is not None
    assert (small.data, small.blob) == ("c21hbGw=", None)
    assert large is not None
    assert large.data is None
    assert large.blob is not None


def test_a_session_that_ended_takes_nothing_and_does_not_open_again(
    spool: Path, open_session: Callable[..., Session]
) -> None:
    session = open_session()
    session.end()
    session.end()
    assert emit(session) is None
    assert session.wait_sealed(10)
    assert emit(session) is None
    assert session.store_image(Image(format="raw", size=100_000), bytes(100_000)) is None

    assert session.refused == {"closed": 2}
    assert data(only_queue(spool)) == []
    assert os.listdir(only_queue(spool) / "blobs") == []
