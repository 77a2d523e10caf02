from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from training_cases import bodies, eventually, payload, rows, seal, small_disk, use_up, writer_info

from livestream.files import write_whole
from livestream.spool import layout
from livestream.spool.helper import Helper
from livestream.spool.launch import Caretaker
from livestream.spool.layout import Published, is_locked
from livestream.spool.quota import Weight
from livestream.spool.writer import SpoolWriter, WriterOptions

MIB = 1024**2


class Kept:
    """A writer with its helper, as a session keeps them."""

    def __init__(self, spool: Path, options: WriterOptions, **changes: object) -> None:
        self.vanished = 0
        self.writer = SpoolWriter(layout.private_folder(spool), writer_info(**changes), options)
        caretaker = Caretaker(spool, None, {}, start=False)
        self.helper = Helper(self.writer, caretaker, self._note)

    def _note(self) -> None:
        self.vanished += 1

    def end(self) -> None:
        self.writer.close()
        self.helper.end()
        assert self.helper.ended.wait(10)


@pytest.fixture
def keep(spool: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(quota_bytes: int = 1024 * MIB, **changes: object) -> Kept:
        made.append(Kept(spool, WriterOptions(quota_bytes=quota_bytes), **changes))
        return made[-1]

    yield make
    for kept in made:
        kept.end()


def open_rows(writer: SpoolWriter) -> int:
    return len(rows(writer._segment.path))


def has_rows(writer: SpoolWriter, count: int) -> bool:
    return open_rows(writer) == count


def has_beaten_since(writer: SpoolWriter, before: bytes) -> bool:
    return layout.read_heartbeat(writer.folder) != before


def publish(spool: Path, spool_bytes: int, age_s: float = 0.0) -> None:
    """Write what a daemon publishes."""
    told = Published(pid=1, host="h", version="1", socket="", spool_bytes=spool_bytes, updated=time.time() - age_s)
    layout.private_folder(spool)
    write_whole(spool / layout.PUBLISHED_FILE, msgspec.json.encode(told))


def test_events_are_moved_within_moments_also_after_a_long_silence(keep: Callable[..., Kept]) -> None:
    kept = keep()
    for count in (1, 2):
        kept.writer.append(payload(count))
        before = time.monotonic()
        eventually(partial(has_rows, kept.writer, count))
        assert time.monotonic() - before < 1.0
        eventually(lambda: kept.writer.idle)


def test_what_was_moved_is_synced_within_a_second_though_nothing_follows(keep: Callable[..., Kept]) -> None:
    kept = keep()
    for burst in range(1, 3):
        kept.writer.append(payload(burst))
        blob = kept.writer.put_blob(bytes(100_000))
        assert blob is not None
        eventually(lambda: not kept.writer.unsynced_blobs, within_s=1.8)
        eventually(lambda: kept.helper._synced_seq == kept.writer.seq, within_s=0.5)


def test_the_end_seals_the_queue_and_lets_the_lock_go(keep: Callable[..., Kept]) -> None:
    kept = keep()
    for number in range(1, 101):
        kept.writer.append(payload(number))
    kept.end()

    found = seal(kept.writer._segment.path)
    assert found is not None
    assert found[:3] == (1, 100, 100)
    assert not is_locked(kept.writer.folder / "lock")
    assert layout.segment_numbers(kept.writer.folder) == [1]


def test_a_segment_is_sealed_at_its_size_and_the_next_lies_ready(keep: Callable[..., Kept]) -> None:
    kept = keep()
    kept.writer.segment_wal_bytes = 256 * 1024
    sealed: set[int] = set()
    number = 0
    while len(sealed) < 3:
        number += 1
        assert kept.writer.append(payload(number, 2000)) == number
        sealed |= {int(path.stem) for path in kept.writer.folder.glob("*.sealed")}
        time.sleep(0.001)
    kept.end()

    assert len(bodies(kept.writer.folder)) == number
    for path in list(kept.writer.folder.glob("*.db"))[:3]:
        assert path.stat().st_size < 2 * MIB
    numbers = layout.segment_numbers(kept.writer.folder)
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_shared_queue_is_sealed_at_intervals_and_only_if_there_is_news(keep: Callable[..., Kept]) -> None:
    kept = keep(shared=True)
    folder = kept.writer.folder
    kept.writer.append(payload(1))
    time.sleep(0.2)
    assert list(folder.glob("*.sealed")) == []
    kept.helper._last_seal -= 6  # the young interval is 5 s
    kept.writer.wake.set()
    eventually(lambda: list(folder.glob("*.sealed")) == [folder / "00000001.sealed"])
    assert [body for _, _, body in rows(folder / "00000001.db")] == [payload(1)]
    assert list(folder.glob("*-shm")) == []

    kept.helper._last_seal -= 60
    kept.writer.wake.set()
    time.sleep(0.2)
    assert layout.segment_numbers(folder) == [1, 2]
    kept.writer.append(payload(2))
    eventually((folder / "00000002.sealed").exists)
    assert list(folder.glob("*-shm")) == []


def test_a_local_queue_is_not_sealed_by_the_clock(keep: Callable[..., Kept]) -> None:
    kept = keep()
    kept.writer.append(payload(1))
    kept.helper._last_seal -= 60
    kept.writer.wake.set()
    eventually(lambda: open_rows(kept.writer) == 1)
    time.sleep(0.2)

    assert list(kept.writer.folder.glob("*.sealed")) == []


def test_the_heart_beats(keep: Callable[..., Kept]) -> None:
    kept = keep()
    for _ in range(2):
        before = layout.read_heartbeat(kept.writer.folder)
        kept.helper._next_beat = 0.0
        kept.writer.wake.set()
        eventually(partial(has_beaten_since, kept.writer, before))


def test_the_helper_survives_what_it_does_not_expect(
    keep: Callable[..., Kept], caplog: pytest.LogCaptureFixture
) -> None:
    kept = keep()
    eventually(lambda: kept.writer.idle)
    with caplog.at_level(logging.ERROR, "livestream"):
        kept.writer.unsynced_blobs.append("no\0name")  # a ValueError, deep in a system call
        kept.helper._last_sync = 0.0
        kept.writer.append(payload(1))
        eventually(lambda: [record.message for record in caplog.records] == ["livestream.helper_failed"])
    kept.writer.append(payload(2))

    eventually(lambda: open_rows(kept.writer) == 2)
    assert kept.helper._thread.is_alive()


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, Weight.IMAGES), (0.91, Weight.PLOTS), (0.96, Weight.SCALARS), (1.01, Weight.EDGE)],
)
def test_what_is_taken_follows_from_what_the_daemon_says_the_spool_takes(
    share: float, expected: Weight, spool: Path, keep: Callable[..., Kept]
) -> None:
    publish(spool, int(share * 100 * MIB))
    kept = keep(100 * MIB)

    eventually(lambda: kept.writer.allowance is expected)
    assert kept.helper.introduced.wait(1)


def test_without_a_daemon_the_writer_looks_itself_and_counts_on_from_there(
    spool: Path, keep: Callable[..., Kept]
) -> None:
    publish(spool, 10**12, age_s=3600)  # a daemon that is gone
    layout.private_folder(spool / "dead")
    (spool / "dead" / "x").write_bytes(b"x" * (9 * MIB))
    kept = keep(10 * MIB)
    eventually(lambda: kept.writer.allowance is not Weight.IMAGES)
    assert kept.writer.append(payload(1), Weight.IMAGES) is None
    assert kept.writer.append(payload(1), Weight.EDGE) == 1

    kept.writer.appended_bytes += MIB
    kept.writer.wake.set()
    eventually(lambda: kept.writer.allowance is Weight.EDGE)
    assert kept.writer.append(payload(2), Weight.SCALARS) is None
    assert kept.writer.append(payload(2), Weight.EDGE) == 2
    assert kept.writer.refused == {"quota": 2}


def test_a_folder_that_is_gone_is_told_once_there_is_news_or_it_is_looked_for(keep: Callable[..., Kept]) -> None:
    kept = keep()
    kept.writer.append(payload(1))
    eventually(lambda: kept.writer.idle)
    moved = kept.writer.folder.with_name("moved")
    kept.writer.folder.rename(moved)
    assert kept.vanished == 0
    kept.writer.append(payload(2))
    eventually(lambda: kept.vanished > 0, within_s=4)
    moved.rename(kept.writer.folder)


def test_on_a_full_disk_the_ballast_goes_first_and_everything_is_moved_once_there_is_room() -> None:
    with small_disk("3m") as disk:
        (disk / layout.BALLAST_FILE).write_bytes(bytes(MIB))
        kept = Kept(disk, WriterOptions(quota_bytes=1024 * MIB))
        accepted = [payload(1)]
        assert kept.writer.append(accepted[0])
        eventually(lambda: not kept.writer.pending)
        hog = use_up(disk)
        while not kept.writer.refused:
            body = payload(len(accepted) + 1, 4000)
            if kept.writer.append(body):
                accepted.append(body)
        assert kept.writer.refused.keys() == {"disk"}
        for _ in range(2):  # first with the ballast's room, then with the hog's
            eventually(lambda: not (disk / layout.BALLAST_FILE).exists())
            eventually(lambda: not kept.writer.stuck)
            eventually(lambda: not kept.writer.pending)
            accepted.append(payload(0))
            assert kept.writer.append(accepted[-1]) == len(accepted)
            hog.unlink(missing_ok=True)
        kept.end()

        assert bodies(kept.writer.folder) == accepted
        assert len(layout.segment_numbers(kept.writer.folder)) < 20
        assert not is_locked(kept.writer.folder / "lock")
