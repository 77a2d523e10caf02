from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from training_cases import bodies, payload, rows, seal, writer_info

from livestream.spool import layout
from livestream.spool.journal import HALF_BYTES, read_counters, read_frames
from livestream.spool.layout import is_locked
from livestream.spool.quota import Weight
from livestream.spool.writer import MAX_WAIT_S, SpoolWriter, WriterOptions

GIB = 1024**3
OPTIONS = WriterOptions(quota_bytes=GIB)


@pytest.fixture
def make(spool: Path) -> Iterator[Callable[..., SpoolWriter]]:
    """Make writers without a helper thread; a test is the helper."""
    made: list[SpoolWriter] = []

    def make(options: WriterOptions = OPTIONS, **changes: object) -> SpoolWriter:
        layout.private_folder(spool)
        made.append(SpoolWriter(spool, writer_info(**changes), options))
        return made[-1]

    yield make
    for writer in made:
        for segment in (writer._segment, writer.prepared, *writer.closing):
            if segment is not None:
                segment.connection.close()
        writer.release()


@pytest.fixture
def writer(make: Callable[..., SpoolWriter]) -> SpoolWriter:
    return make()


def number_of(segment: Path) -> int:
    return int(segment.stem)


def fill(writer: SpoolWriter, size: int = 60_000) -> int:
    """Append until both halves of the journal are full; give how many were accepted."""
    while writer.append(payload(writer.seq + 1, size)) is not None:
        pass
    return writer.seq


def test_a_writer_is_born_with_everything_a_reader_asks_for(writer: SpoolWriter, spool: Path) -> None:
    folder = writer.folder

    assert layout.read_writer_info(folder) == writer.info
    assert sorted(os.listdir(folder)) == sorted(
        ["00000001.db", "00000001.db-shm", "00000001.db-wal", "blobs", "heartbeat", "journal", "lock", "writer.json"]
    )
    assert is_locked(folder / "lock")
    for path in (folder, folder / "blobs"):
        assert path.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_numbers_begin_at_1_without_a_gap_and_an_event_is_safe_before_it_is_moved(writer: SpoolWriter) -> None:
    assert [writer.append(payload(number)) for number in range(1, 6)] == [1, 2, 3, 4, 5]
    pending = [writer.pending]
    assert rows(writer._segment.path) == []
    assert bodies(writer.folder) == [payload(number) for number in range(1, 6)]

    assert writer.drain()
    assert [*pending, writer.pending] == [True, False]
    assert [body for _, _, body in rows(writer._segment.path)] == [payload(number) for number in range(1, 6)]


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "pwrite"])
def test_start_and_done_are_in_the_segment_when_append_returns(
    *, mapped: bool, make: Callable[..., SpoolWriter]
) -> None:
    writer = make(WriterOptions(quota_bytes=GIB, mapped=mapped))
    writer.append(payload(1))
    writer.append(payload(2), Weight.EDGE)

    assert len(rows(writer._segment.path)) == 2


def test_with_durability_power_each_event_is_in_the_segment_when_append_returns(
    make: Callable[..., SpoolWriter],
) -> None:
    writer = make(WriterOptions(quota_bytes=GIB, durability="power"))
    for count in range(1, 4):
        assert writer.append(payload(count)) == count
        assert len(rows(writer._segment.path)) == count
        assert not writer.pending


@pytest.mark.parametrize("durability", ["process", "power"])
def test_eight_threads_get_every_number_once_and_lose_no_event(
    durability: str, make: Callable[..., SpoolWriter]
) -> None:
    writer = make(WriterOptions(quota_bytes=GIB, durability=durability))  # type: ignore[arg-type] # one of the two
    each = 500 if durability == "process" else 40
    got: list[list[tuple[int | None, bytes]]] = [[] for _ in range(8)]
    over = threading.Event()

    def emit(thread: int) -> None:
        for number in range(each):
            body = payload(thread * 10**6 + number)
            got[thread].append((writer.append(body), body))

    def move() -> None:
        while not over.wait(0.005):
            writer.drain()

    mover = threading.Thread(target=move)
    mover.start()
    threads = [threading.Thread(target=emit, args=[thread]) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    mover.join()

    acknowledged = {seq: body for pairs in got for seq, body in pairs if seq is not None}
    assert len(acknowledged) == 8 * each
    assert bodies(writer.folder) == [acknowledged[seq] for seq in range(1, 8 * each + 1)]
    for pairs in got:
        assert [seq for seq, _ in pairs] == sorted(seq for seq, _ in pairs if seq is not None)


def test_each_rotation_seals_a_segment_that_goes_on_where_the_one_before_ended(writer: SpoolWriter) -> None:
    for number in range(1, 8):
        writer.append(payload(number))
        assert writer.drain()
        if number in {3, 5}:
            assert writer.rotate() == number
    assert writer.rotate() == 7  # and an empty one behind it
    assert writer.rotate() == 7
    writer.append(payload(8))
    writer.close()
    assert writer.finish()

    paths = [layout.segment_path(writer.folder, number) for number in layout.segment_numbers(writer.folder)]
    assert [number_of(path) for path in paths] == [1, 2, 3, 4, 5]
    ranges = [found[:3] for path in paths if (found := seal(path)) is not None]
    assert ranges == [(1, 3, 3), (4, 5, 2), (6, 7, 2), (8, 7, 0), (8, 8, 1)]
    assert all(layout.sealed_path(path).exists() for path in paths)
    assert not list(writer.folder.glob("*-wal"))
    assert not is_locked(writer.folder / "lock")
    assert len(bodies(writer.folder)) == 8


def test_what_arrives_between_moving_and_sealing_is_not_called_sealed(writer: SpoolWriter) -> None:
    writer.append(payload(1))
    writer.drain()
    writer.append(payload(2))  # still in the journal

    assert writer.rotate() == 1
    writer.drain()
    assert writer.rotate() == 2


def test_the_next_segment_lies_ready_and_leaves_no_trace_where_it_was_not_needed(writer: SpoolWriter) -> None:
    writer.prepare()
    writer.prepare()
    assert layout.segment_numbers(writer.folder) == [1, 2]
    writer.append(payload(1))
    writer.close()
    assert writer.finish()

    assert layout.segment_numbers(writer.folder) == [1]
    assert sorted(path.name for path in writer.folder.glob("0*")) == ["00000001.db", "00000001.sealed"]


def test_a_finished_queue_takes_nothing_and_counts_what_it_refused(writer: SpoolWriter) -> None:
    writer.append(payload(1))
    writer.close()
    assert writer.append(payload(2), Weight.EDGE) is None
    assert read_counters(writer.folder / "journal").refused == {"closed": 1}
    assert writer.finish()
    assert writer.append(payload(3)) is None
    assert writer.refused == {"closed": 2}
    assert writer.seq == 1


@pytest.mark.parametrize(
    ("allowance", "taken"), [(Weight.IMAGES, 4), (Weight.PLOTS, 3), (Weight.SCALARS, 2), (Weight.EDGE, 1)]
)
def test_the_quota_refuses_the_heavier_events_and_counts_them_where_a_kill_cannot(
    allowance: Weight, taken: int, writer: SpoolWriter
) -> None:
    writer.allowance = allowance
    given = [writer.append(payload(weight), weight) for weight in Weight]

    assert given == [*range(1, taken + 1), *[None] * (4 - taken)]
    expected = {"quota": 4 - taken} if taken < 4 else {}
    assert writer.refused == read_counters(writer.folder / "journal").refused == expected


def test_a_full_journal_is_waited_for_once_and_then_refuses_at_once(writer: SpoolWriter) -> None:
    before = time.monotonic()
    accepted = fill(writer)
    waited_s = time.monotonic() - before
    assert MAX_WAIT_S <= waited_s < MAX_WAIT_S + 1.0
    assert accepted * 60_000 > 1.9 * HALF_BYTES

    before = time.monotonic()
    assert [writer.append(payload(0, 60_000)) for _ in range(5)] == [None] * 5
    assert time.monotonic() - before < MAX_WAIT_S
    assert writer.refused == {"stalled": 6}
    assert writer.drain()
    assert writer.append(payload(accepted + 1)) == accepted + 1
    assert bodies(writer.folder) == [
        *(payload(number, 60_000) for number in range(1, accepted + 1)),
        payload(accepted + 1),
    ]


def test_an_emitter_that_waits_for_room_gets_it_as_soon_as_it_is_there(writer: SpoolWriter) -> None:
    over = threading.Event()

    def move() -> None:
        while not over.is_set():
            writer.wake.wait(5)
            writer.wake.clear()
            writer.drain()

    mover = threading.Thread(target=move)
    mover.start()
    before = time.monotonic()
    for number in range(1, 201):  # 12 MB through 4 MiB
        assert writer.append(payload(number, 60_000)) == number
    took_s = time.monotonic() - before
    over.set()
    writer.wake.set()
    mover.join()

    assert took_s < 5
    assert len(bodies(writer.folder)) == 200


def test_the_end_frees_an_emitter_that_waits_for_room(writer: SpoolWriter) -> None:
    threading.Timer(0.1, writer.close).start()
    before = time.monotonic()
    fill(writer)

    assert time.monotonic() - before < MAX_WAIT_S
    assert writer.refused == {"closed": 1}


def test_a_segment_that_takes_nothing_leaves_the_events_in_the_journal(
    writer: SpoolWriter, caplog: pytest.LogCaptureFixture
) -> None:
    writer.append(payload(1))
    with sqlite3.connect(writer._segment.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with caplog.at_level(logging.WARNING, "livestream"):
            assert not writer.drain()
            assert not writer.drain()
        stuck = [writer.stuck]
        assert writer.append(payload(2)) == 2
        other.execute("ROLLBACK")
    other.close()
    assert [record.message for record in caplog.records] == ["livestream.spool_not_writable"]

    assert writer.drain()
    assert [*stuck, writer.stuck] == [True, False]
    assert len(rows(writer._segment.path)) == 2


def test_losses_from_before_the_writer_and_trimmed_events_are_counted_too(writer: SpoolWriter) -> None:
    writer.refuse("spool", 5)
    writer.refuse("spool")
    writer.trim()
    writer.trim()
    writer.note_signal(15)

    counters = read_counters(writer.folder / "journal")
    assert (counters.refused, counters.trimmed, counters.signal) == ({"spool": 6}, 2, 15)


def test_a_blob_is_in_place_before_it_is_named_and_two_alike_are_two(writer: SpoolWriter) -> None:
    content = os.urandom(100_000)
    names = [writer.put_blob(content), writer.put_blob(memoryview(content))]

    assert None not in names
    assert len(set(names)) == 2
    assert sorted(os.listdir(writer.folder / "blobs")) == sorted(str(name) for name in names)
    assert all((writer.folder / "blobs" / str(name)).read_bytes() == content for name in names)
    writer.sync()
    (writer.folder / "blobs" / str(names[0])).unlink()
    writer.unsynced_blobs = [str(name) for name in names]
    writer.sync()  # one that is gone needs nothing


@pytest.mark.parametrize("quota_bytes", [2 * 1024**2, 8 * 1024**2])
def test_a_small_quota_is_not_used_up_by_the_journal(quota_bytes: int, make: Callable[..., SpoolWriter]) -> None:
    writer = make(WriterOptions(quota_bytes=quota_bytes))

    assert layout.folder_bytes(writer.folder) < quota_bytes / 4
    assert writer.segment_wal_bytes <= quota_bytes / 4


def test_a_folder_that_is_gone_or_another_is_noticed(writer: SpoolWriter) -> None:
    writer.append(payload(1))
    assert writer.is_in_place()
    assert writer.seq_when_in_place == 1
    writer.append(payload(2))
    kept = writer.folder.with_name("kept")
    writer.folder.rename(kept)
    assert not writer.is_in_place()
    shutil.copytree(kept, writer.folder)
    assert not writer.is_in_place()
    shutil.rmtree(writer.folder)
    kept.rename(writer.folder)
    assert writer.is_in_place()
    assert writer.seq_when_in_place == 2


def test_the_heartbeat_is_rewritten_and_a_missing_folder_is_no_error(writer: SpoolWriter) -> None:
    assert layout.read_heartbeat(writer.folder) == b"0"
    writer.beat(7)
    assert layout.read_heartbeat(writer.folder) == b"7"
    kept = writer.folder.with_name("kept")
    writer.folder.rename(kept)
    writer.beat(8)
    kept.rename(writer.folder)

    assert layout.read_heartbeat(writer.folder) == b"7"


def test_what_a_writer_left_that_was_never_finished_is_all_there(make: Callable[..., SpoolWriter]) -> None:
    for mapped in (True, False):
        writer = make(WriterOptions(quota_bytes=GIB, mapped=mapped))
        for number in range(1, 11):
            writer.append(payload(number))
            if number == 4:
                writer.drain()
            if number == 6:
                writer.drain()
                writer.rotate()
        writer.close()
        writer.release()

        assert [frame.seq for frame in read_frames(writer.folder / "journal", 6)] == [7, 8, 9, 10]
        assert bodies(writer.folder) == [payload(number) for number in range(1, 11)]
        assert not is_locked(writer.folder / "lock")
