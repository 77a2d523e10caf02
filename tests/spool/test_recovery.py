from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from spool_queues import HALF_BYTES, UID, Queue, body_of, event, read_all, seal_for

from livestream.errors import SpoolFormatError
from livestream.events import Data, Image, encode
from livestream.spool import segment as segments
from livestream.spool.blobs import blob_path, put_blob
from livestream.spool.dead_blobs import drop_dead_blobs, keep_dead_blobs, read_dead_blob, sweep_dead_blobs
from livestream.spool.journal import HEADER_BYTES
from livestream.spool.layout import FORMAT, JOURNAL_FILE, LOCK_FILE, WRITER_FILE, FileLock, sealed_path
from livestream.spool.reader import Batch, ReaderPool, SpoolReader
from livestream.spool.recovery import Recovered, recover
from livestream.spool.salvage import extent, whole
from livestream.spool.segment import Seal
from livestream.spool.unlink import Unlinked, remove_unborn, remove_writer, sweep, unlink_delivered

SEED = int(os.environ.get("LIVESTREAM_CRASH_SEED", "1"))
ROUNDS = int(os.environ.get("LIVESTREAM_CRASH_ROUNDS", "5"))


@pytest.fixture
async def pool() -> AsyncIterator[ReaderPool]:
    async with ReaderPool() as pool:
        yield pool


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


async def delivered(queue: Queue, pool: ReaderPool, after: int = 0, emitted: int = 0) -> Batch:
    reader = SpoolReader(queue.folder, pool, shared=True)  # so that only sealed segments count
    batch = await read_all(reader, after, emitted=emitted)
    await reader.close()
    return batch


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def seqs(batch: Batch) -> list[int]:
    return [record.seq for record in batch.records]


async def test_the_journal_goes_into_the_open_segment_and_all_is_sealed(queue: Queue, pool: ReaderPool) -> None:
    queue.add_sealed(queue.rows(3))
    queue.add_left_behind(queue.rows(4))
    queue.journal([*((seq, body_of(seq)) for seq in (6, 7)), *queue.rows(5)])

    assert recover(queue.folder, shared=False) == Recovered(outcome="done", last_seq=12, replayed=5, sealed=(2,))

    batch = await delivered(queue, pool)
    assert [record.event for record in batch.records] == [event(seq) for seq in range(1, 13)]
    assert batch.problems == []
    assert not queue.path(2).with_name("00000002.db-wal").exists()


async def test_recovering_twice_changes_nothing(queue: Queue, pool: ReaderPool) -> None:
    queue.add_left_behind(queue.rows(4))
    queue.journal(queue.rows(5))
    recover(queue.folder, shared=False)
    before = {path.name: path.read_bytes() for path in queue.folder.iterdir() if path.is_file()}

    assert recover(queue.folder, shared=False) == Recovered(outcome="done", last_seq=9)

    assert {path.name: path.read_bytes() for path in queue.folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("shared", [False, True])
async def test_a_segment_with_its_seal_row_only_needs_its_checkpoint(
    queue: Queue, pool: ReaderPool, *, shared: bool
) -> None:
    queue.add_left_behind(queue.rows(4), sealed_row=True)
    queue.add_left_behind([])
    queue.journal(queue.rows(2))
    recovered = recover(queue.folder, shared=shared)
    assert (recovered.outcome, recovered.replayed, recovered.sealed) == ("done", 2, (1, 2))
    assert extent(queue.path(2)).seal == seal_for([(5, body_of(5)), (6, body_of(6))])
    assert seqs(await delivered(queue, pool)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("checkpointed", [False, True])
async def test_frames_get_a_segment_of_their_own_where_none_is_open(
    queue: Queue, pool: ReaderPool, *, checkpointed: bool
) -> None:
    if checkpointed:
        queue.add_sealed(queue.rows(3))
    else:
        queue.add_left_behind(queue.rows(3), sealed_row=True)
    queue.journal(queue.rows(2))
    assert recover(queue.folder, shared=False).sealed[-1:] == (2,)
    assert seqs(await delivered(queue, pool)) == [1, 2, 3, 4, 5]


def test_a_segment_that_was_prepared_and_never_used_is_sealed_empty(queue: Queue) -> None:
    queue.add_sealed(queue.rows(2))
    queue.add_left_behind(queue.rows(3))
    queue.add_left_behind([])
    assert recover(queue.folder, shared=False).sealed == (2, 3)
    assert extent(queue.path(3)).seal == Seal(6, 5, 0, 0)


async def test_a_writer_that_died_before_its_first_segment_loses_nothing(queue: Queue, pool: ReaderPool) -> None:
    queue.journal(queue.rows(3))
    assert recover(queue.folder, shared=False).last_seq == 3
    assert seqs(await delivered(queue, pool)) == [1, 2, 3]


async def test_frames_below_the_cursor_are_not_replayed_when_their_segments_are_gone(
    queue: Queue, pool: ReaderPool
) -> None:
    queue.add_sealed(queue.rows(100)).unlink()
    sealed_path(queue.path(1)).unlink()
    queue.add_left_behind([])
    queue.journal([(seq, body_of(seq)) for seq in range(91, 106)])
    recovered = recover(queue.folder, shared=False, cursor=100)
    assert (recovered.replayed, recovered.last_seq) == (5, 105)
    assert seqs(await delivered(queue, pool, after=100)) == [101, 102, 103, 104, 105]


async def test_frames_beyond_a_gap_are_saved_and_the_gap_is_answered_for(queue: Queue, pool: ReaderPool) -> None:
    queue.add_left_behind(queue.rows(4))
    queue.journal([(seq, body_of(seq)) for seq in range(8, 11)])
    assert recover(queue.folder, shared=False).last_seq == 10
    batch = await delivered(queue, pool)
    assert seqs(batch) == [1, 2, 3, 4, 8, 9, 10]
    assert [(problem.first, problem.last, problem.reason) for problem in batch.problems] == [(5, 7, "missing")]


async def test_events_that_were_seen_and_are_gone_are_answered_for(queue: Queue, pool: ReaderPool) -> None:
    queue.add_left_behind(queue.rows(4))
    recovered = recover(queue.folder, shared=False, cursor=2, emitted=9)
    assert recovered == Recovered(outcome="done", last_seq=9, sealed=(1, 2))
    assert recover(queue.folder, shared=False, cursor=2, emitted=9) == Recovered(outcome="done", last_seq=9)
    batch = await delivered(queue, pool)
    assert [(problem.first, problem.last, problem.reason) for problem in batch.problems] == [(5, 9, "missing")]
    assert batch.last == 9


def test_a_living_writer_is_left_alone(queue: Queue) -> None:
    queue.add_left_behind(queue.rows(2))
    script = (
        "import sys; from pathlib import Path; from livestream.spool.layout import FileLock;"
        "lock = FileLock(Path(sys.argv[1])); print(lock.take(), flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(queue.folder / LOCK_FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        before = sorted(os.listdir(queue.folder))
        assert recover(queue.folder, shared=False).outcome == "alive"
        assert not remove_writer(queue.folder, 99)
        assert sorted(os.listdir(queue.folder)) == before
        holder.kill()
    assert recover(queue.folder, shared=False).outcome == "done"


def test_a_lock_of_this_process_counts_as_well(queue: Queue) -> None:
    lock = FileLock(queue.folder / LOCK_FILE)
    assert lock.take()
    assert recover(queue.folder, shared=False).outcome == "alive"
    lock.release()
    assert recover(queue.folder, shared=False).outcome == "done"


async def test_a_reader_in_the_middle_of_a_read_makes_it_come_again(queue: Queue, pool: ReaderPool) -> None:
    path = queue.add_left_behind(queue.rows(50))
    queue.journal(queue.rows(3))
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM event").fetchone()
        assert recover(queue.folder, shared=False).outcome == "busy"
        assert not sealed_path(path).exists()
    assert recover(queue.folder, shared=False).outcome == "done"
    assert len(seqs(await delivered(queue, pool))) == 53


def test_a_newer_livestream_s_segment_is_not_touched(queue: Queue) -> None:
    path = queue.add_left_behind(queue.rows(2))
    with queue.opened(1) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    before = path.read_bytes()
    with pytest.raises(SpoolFormatError, match="upgrade"):
        recover(queue.folder, shared=False)
    assert path.read_bytes() == before


async def test_a_damaged_segment_is_replaced_by_its_readable_rows(queue: Queue, pool: ReaderPool) -> None:
    queue.add_sealed(queue.rows(10))
    path = queue.add_left_behind(queue.rows(600))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[7 * 4096 : 8 * 4096] = bytes(4096)
    path.write_bytes(content)
    queue.journal(queue.rows(5))

    recovered = recover(queue.folder, shared=False)

    assert recovered.outcome == "done"
    assert recovered.quarantined[0] == queue.folder.parent / "quarantine" / UID / "00000002.db"
    assert recovered.quarantined[0].read_bytes() == bytes(content)
    batch = await delivered(queue, pool)
    assert batch.last == 615
    assert 0 < sum(problem.count for problem in batch.problems) < 100
    assert all(record.event == event(record.seq) for record in batch.records)


async def test_a_segment_whose_order_is_damaged_is_replaced_as_well(queue: Queue, pool: ReaderPool) -> None:
    path = queue.add_left_behind(queue.rows(6))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    cell = content.rfind(bytes([4, 5, 0]), 0, content.index(body_of(4)))  # number 4, a header of 5 bytes, NULL
    content[cell] = 2
    path.write_bytes(content)
    recovered = recover(queue.folder, shared=False)
    assert recovered.quarantined[0].read_bytes() == bytes(content)
    batch = await delivered(queue, pool)
    assert batch.last == 6
    assert [problem.first for problem in batch.problems] == [4]


async def test_a_segment_of_noise_is_put_aside_and_what_follows_is_saved(queue: Queue, pool: ReaderPool) -> None:
    queue.add_sealed(queue.rows(10))
    path = queue.add_left_behind(queue.rows(20))
    noise = random.Random(2).randbytes(20_000)
    path.write_bytes(noise)
    wal_of(path).unlink()
    recovered = recover(queue.folder, shared=False, emitted=30)
    assert [place.read_bytes() for place in recovered.quarantined] == [noise]
    batch = await delivered(queue, pool)
    assert [(problem.first, problem.last) for problem in batch.problems] == [(11, 30)]


async def test_a_row_that_was_damaged_is_mended_from_the_journal(queue: Queue, pool: ReaderPool) -> None:
    queue.add_left_behind(queue.rows(5))
    with queue.opened(1) as connection:
        connection.execute("UPDATE event SET body = x'00' WHERE seq = 5")
    queue.journal([(5, body_of(5)), (6, body_of(6))])
    assert recover(queue.folder, shared=False).replayed == 2
    batch = await delivered(queue, pool)
    assert (seqs(batch), batch.problems) == ([1, 2, 3, 4, 5, 6], [])


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be taken for one" * 100])
async def test_files_that_are_no_segments_do_not_stop_it(queue: Queue, pool: ReaderPool, content: bytes) -> None:
    queue.add_sealed(queue.rows(2))
    queue.path(2).write_bytes(content)
    queue.number = 2
    queue.journal(queue.rows(2))
    assert recover(queue.folder, shared=False).outcome == "done"
    assert seqs(await delivered(queue, pool)) == [1, 2, 3, 4]


async def test_somebody_else_s_database_is_put_aside(queue: Queue, pool: ReaderPool) -> None:
    with contextlib.closing(sqlite3.connect(queue.path(1))) as connection:
        connection.execute("CREATE TABLE somebody(s)")
    queue.journal(queue.rows(2))
    recovered = recover(queue.folder, shared=False)
    assert [path.name for path in recovered.quarantined] == ["00000001.db"]
    assert seqs(await delivered(queue, pool)) == [1, 2]


async def test_a_damaged_journal_is_put_aside(queue: Queue, pool: ReaderPool) -> None:
    queue.add_left_behind(queue.rows(2))
    (queue.folder / JOURNAL_FILE).write_bytes(b"no journal")
    recovered = recover(queue.folder, shared=False)
    assert [path.name for path in recovered.quarantined] == [JOURNAL_FILE]
    assert seqs(await delivered(queue, pool)) == [1, 2]


async def test_a_wal_that_lost_its_database_is_read_all_the_same(queue: Queue, pool: ReaderPool) -> None:
    queue.add_sealed(queue.rows(2))
    queue.add_left_behind(queue.rows(300)).unlink()
    queue.journal(queue.rows(2))
    assert recover(queue.folder, shared=False).sealed == (2,)
    assert seqs(await delivered(queue, pool)) == list(range(1, 305))


async def test_a_new_segment_does_not_take_a_stray_wal_for_its_own(queue: Queue, pool: ReaderPool) -> None:
    path = queue.add_left_behind(queue.rows(300))
    path.unlink()
    segments.mark_sealed(path)
    queue.journal([(1, body_of(1)), (2, body_of(2))])
    assert recover(queue.folder, shared=False).sealed == (2,)
    assert seqs(await delivered(queue, pool)) == [1, 2]


async def test_a_torn_frame_ends_the_journal(queue: Queue, pool: ReaderPool) -> None:
    queue.add_left_behind(queue.rows(2))
    path = queue.journal(queue.rows(3))
    content = bytearray(path.read_bytes())
    content[HEADER_BYTES + 2 * (16 + len(body_of(3))) + 20] ^= 1
    path.write_bytes(content)
    assert recover(queue.folder, shared=False).replayed == 2
    assert seqs(await delivered(queue, pool)) == [1, 2, 3, 4]


def test_half_made_files_are_removed(queue: Queue) -> None:
    queue.add_sealed(queue.rows(2))
    for name in (".00000002.db.0a1b2c3d", "blobs/.0a1b2c3d", "00000001.salvage"):
        (queue.folder / name).write_bytes(b"half")
    (queue.folder / ".nfs0001").write_bytes(b"NFS keeps it for a process")
    recover(queue.folder, shared=False)
    assert sorted(os.listdir(queue.folder)) == [
        ".nfs0001",
        "00000001.db",
        "00000001.sealed",
        "blobs",
        "heartbeat",
        "lock",
        "writer.json",
    ]
    assert os.listdir(queue.folder / "blobs") == []


async def test_a_replacement_that_was_interrupted_is_finished(queue: Queue, pool: ReaderPool) -> None:
    path = queue.add_left_behind(queue.rows(3))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.rename(path.with_suffix(".salvage"))
    wal_of(path).write_bytes(b"of the damaged one")
    recovered = recover(queue.folder, shared=False)
    assert [place.name for place in recovered.quarantined] == ["00000001.db-wal"]
    assert seqs(await delivered(queue, pool)) == [1, 2, 3]


def test_a_full_disk_is_told_and_nothing_is_lost_by_it(queue: Queue) -> None:
    queue.add_left_behind(queue.rows(200, 500))
    queue.journal(queue.rows(100, 500))
    script = (
        "import resource, sys; from pathlib import Path; from livestream.spool.recovery import recover;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY));"
        "print(recover(Path(sys.argv[1]), shared=False).outcome)"
    )
    for limit in (4096, 20_000, 120_000, 150_000):
        answer = subprocess.run(
            [sys.executable, "-c", script, str(queue.folder), str(limit)], capture_output=True, text=True, check=True
        )
        assert answer.stdout == "full\n", limit
    assert recover(queue.folder, shared=False) == Recovered(outcome="done", last_seq=300, replayed=100, sealed=(1,))


_RECOVER = (
    "import sys; from pathlib import Path; from livestream.spool.recovery import recover;"
    "print('ready', flush=True); sys.stdin.readline(); recover(Path(sys.argv[1]), shared=False)"
)


def _kill_after(script: str, folder: Path, delay_s: float) -> None:
    """Start a script's work and kill it after a while."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)


@pytest.mark.crash
@pytest.mark.parametrize("damaged", [False, True])
async def test_a_recovery_that_is_killed_again_and_again_loses_nothing(
    tmp_path: Path, pool: ReaderPool, *, damaged: bool
) -> None:
    template = Queue(tmp_path / "template")
    template.add_sealed(template.rows(50))
    template.add_left_behind(template.rows(900), sealed_row=True)
    path = template.add_left_behind(template.rows(600))
    template.journal(template.rows(300))
    lost = 0
    if damaged:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray(path.read_bytes())
        content[7 * 4096 : 8 * 4096] = bytes(4096)
        path.write_bytes(content)
        lost = 100
    chance = random.Random(SEED)
    spool = tmp_path / "spool"
    for round_number in range(ROUNDS):
        shutil.rmtree(spool, ignore_errors=True)
        shutil.copytree(tmp_path / "template", spool)
        for _ in range(3):
            _kill_after(_RECOVER, spool / UID, chance.random() * 0.025)
        assert recover(spool / UID, shared=False).outcome == "done"
        batch = await read_all(SpoolReader(spool / UID, pool, shared=True))
        await pool.forget(spool / UID)
        where = f"seed {SEED}, round {round_number}"
        assert batch.last == 1850, where
        assert sum(problem.count for problem in batch.problems) <= lost, where
        assert all(record.event == event(record.seq) for record in batch.records), where


_WRITE = """
import random, sys, threading
from pathlib import Path
from livestream.events import Data, Experiment, encode
from livestream.spool.layout import WriterInfo
from livestream.spool.writer import SpoolWriter, WriterOptions

chance = random.Random(int(sys.argv[3]))
info = WriterInfo(uid=sys.argv[2], version="0", host="h", pid=0, boot_id="b", process_start=0.0, role="primary",
                  experiment=Experiment(repo_url="r", baseline_sha="0" * 40, name="n"), directory="dvclive")
writer = SpoolWriter(Path(sys.argv[1]), info, WriterOptions(quota_bytes=10**9))

def help_it():
    while True:
        writer.drain()
        if chance.random() < 0.1:
            writer.rotate()
            if chance.random() < 0.7:
                writer.finish_sealing()

threading.Thread(target=help_it, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
while True:
    seq = writer.seq + 1
    assert writer.append(encode(Data(time=float(seq), step=seq, metrics={"loss": seq / 8}))) == seq
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""


def _write_and_kill(spool: Path, seed: int) -> int:
    """Run a writer with its helper thread, kill it, and tell the last number that it reported as accepted."""
    spool.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(spool), UID, str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
        time.sleep(random.Random(seed).random() * 0.15)
        process.kill()
        accepted = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    return int(accepted[-1]) if accepted else 0


@pytest.mark.crash
async def test_what_a_killed_writer_accepted_is_all_there(tmp_path: Path, pool: ReaderPool) -> None:
    for round_number in range(ROUNDS):
        spool, seed = tmp_path / f"spool{round_number}", SEED * 1000 + round_number
        last = _write_and_kill(spool, seed)
        recovered = recover(spool / UID, shared=False)
        assert recovered.outcome == "done", f"seed {seed}"
        batch = await read_all(SpoolReader(spool / UID, pool, shared=True))
        await pool.forget(spool / UID)
        assert batch.problems == [], f"seed {seed}"
        assert [record.event for record in batch.records] == [event(seq) for seq in range(1, batch.last + 1)]
        assert batch.last == recovered.last_seq >= last, f"seed {seed}"
        unlink_delivered(spool / UID, batch.last)
        assert remove_writer(spool / UID, batch.last)


# -- unlinking


def image_row(queue: Queue, seq: int, size: int = 100) -> tuple[int, bytes]:
    name = put_blob(queue.folder, random.Random(seq).randbytes(size))
    image = Image(format="png", size=size, blob=name)
    return seq, encode(Data(time=float(seq), step=seq, images={"sample.png": image}))


def blobs_of(queue: Queue) -> int:
    return len(os.listdir(queue.folder / "blobs"))


def test_only_what_is_sealed_and_dealt_with_is_removed(queue: Queue) -> None:
    for _ in range(3):
        queue.add_sealed(queue.rows(10))
    queue.add_left_behind(queue.rows(10))
    assert unlink_delivered(queue.folder, 9) == Unlinked()
    assert unlink_delivered(queue.folder, 25).segments == (1, 2)
    assert unlink_delivered(queue.folder, 40).segments == (3,)
    assert sorted(name for name in os.listdir(queue.folder) if name.startswith("0")) == [
        "00000004.db",
        "00000004.db-wal",
    ]


def test_the_blobs_of_removed_events_go_and_the_others_stay(queue: Queue) -> None:
    queue.add_sealed([image_row(queue, 1), image_row(queue, 2), (3, body_of(3))])
    inner = image_row(queue, 4)[1]
    queue.add_sealed([(4, queue.spill(inner)), (5, body_of(5))])
    queue.add_sealed([image_row(queue, 6)])
    assert blobs_of(queue) == 5
    assert unlink_delivered(queue.folder, 3) == Unlinked((1,), 2)
    assert unlink_delivered(queue.folder, 5) == Unlinked((2,), 2)
    assert blobs_of(queue) == 1


def test_a_retention_keeps_delivered_segments_for_a_while(queue: Queue) -> None:
    for age_s in (100.0, 50.0):
        path = sealed_path(queue.add_sealed(queue.rows(2)))
        os.utime(path, (1000.0 - age_s, 1000.0 - age_s))
    assert unlink_delivered(queue.folder, 4, sealed_before=925.0).segments == (1,)
    assert unlink_delivered(queue.folder, 4).segments == (2,)


def test_empty_and_blank_segments_are_removed_in_their_turn(queue: Queue) -> None:
    queue.add_sealed([])
    queue.path(2).touch()
    segments.mark_sealed(queue.path(2))
    queue.number = 2
    queue.add_sealed(queue.rows(1))
    assert unlink_delivered(queue.folder, 0).segments == (1, 2)
    assert unlink_delivered(queue.folder, 1).segments == (3,)


@pytest.mark.parametrize("page", [1, 5])
def test_a_damaged_segment_goes_to_quarantine_instead(queue: Queue, page: int) -> None:
    path = queue.add_sealed([image_row(queue, 1), *((seq, body_of(seq)) for seq in range(2, 500))])
    queue.add_sealed([(seq, body_of(seq)) for seq in range(500, 510)])
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = bytes(4096)
    path.write_bytes(content)
    assert unlink_delivered(queue.folder, 498).segments == ()
    unlinked = unlink_delivered(queue.folder, 509)
    assert unlinked.segments == (1, 2)
    assert unlinked.quarantined[0].read_bytes() == bytes(content)
    assert remove_writer(queue.folder, 509)
    kept = sorted(place.name for place in unlinked.quarantined[0].parent.iterdir())
    assert len(kept) == 4  # the segment and the blob that it may have named, each with its reason


def test_a_segment_whose_rows_were_cut_off_goes_to_quarantine(queue: Queue) -> None:
    rows = queue.rows(4)
    queue.add_sealed(rows[:2], Seal(1, 4, 4, 0))
    assert [path.name for path in unlink_delivered(queue.folder, 4).quarantined] == ["00000001.db"]


def test_damage_that_sqlite_does_not_see_as_such_is_no_reason_to_stop(queue: Queue) -> None:
    path = queue.add_sealed(queue.rows(2))
    with queue.opened(1) as connection:
        connection.execute("UPDATE event SET body = CAST(x'ff' AS TEXT) WHERE seq = 2")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert extent(path).last == 1
    assert whole(path) is None
    assert unlink_delivered(queue.folder, 2).segments == (1,)


_UNLINK = (
    "import sys; from pathlib import Path; from livestream.spool.unlink import unlink_delivered;"
    "print('ready', flush=True); sys.stdin.readline(); unlink_delivered(Path(sys.argv[1]), 60)"
)


@pytest.mark.crash
async def test_an_unlinking_that_is_killed_is_completed_by_the_next(tmp_path: Path, pool: ReaderPool) -> None:
    template = Queue(tmp_path / "template")
    for first in range(1, 100, 20):
        template.add_sealed([image_row(template, seq) for seq in range(first, first + 20)])
    chance = random.Random(SEED)
    spool = tmp_path / "spool"
    for round_number in range(ROUNDS):
        shutil.rmtree(spool, ignore_errors=True)
        shutil.copytree(tmp_path / "template", spool)
        for _ in range(2):
            _kill_after(_UNLINK, spool / UID, chance.random() * 0.02)
        where = f"seed {SEED}, round {round_number}"
        assert seqs(await read_all(SpoolReader(spool / UID, pool, shared=True), after=60)) == list(range(61, 101)), (
            where
        )
        await pool.forget(spool / UID)
        unlink_delivered(spool / UID, 60)
        sweep(spool / UID)
        assert len(os.listdir(spool / UID / "blobs")) == 40, where
        assert sorted(name for name in os.listdir(spool / UID) if name.startswith("0")) == [
            "00000004.db",
            "00000004.sealed",
            "00000005.db",
            "00000005.sealed",
        ], where


def test_remains_of_segments_are_swept_and_nothing_else(queue: Queue) -> None:
    queue.add_sealed(queue.rows(1))
    queue.add_left_behind(queue.rows(1))
    for name in ("00000007.sealed", "00000007.db-wal", "00000007.db-shm", "00000008.db-wal", "00000008.salvage"):
        (queue.folder / name).touch()
    before = sorted(os.listdir(queue.folder))
    assert sweep(queue.folder) == 3
    assert sorted(os.listdir(queue.folder)) == [name for name in before if not name.startswith("00000007")]


# -- the folder


def test_a_folder_goes_when_nothing_is_left_in_it(queue: Queue) -> None:
    queue.add_left_behind([*queue.rows(2), image_row(queue, 3)])
    queue.seq = 3
    queue.journal([(3, body_of(3)), *queue.rows(1)])
    assert not remove_writer(queue.folder, 4)
    recover(queue.folder, shared=False)
    put_blob(queue.folder, b"what a killed writer left")
    assert not remove_writer(queue.folder, 4)
    unlink_delivered(queue.folder, 4)
    assert not remove_writer(queue.folder, 3)
    assert remove_writer(queue.folder, 4)
    assert os.listdir(queue.folder.parent) == []
    assert remove_writer(queue.folder, 4)


def test_what_a_user_put_into_a_folder_is_not_deleted(queue: Queue) -> None:
    (queue.folder / "notes.txt").write_text("mine")
    assert remove_writer(queue.folder, 0)
    assert (queue.folder.parent / "quarantine" / UID / "notes.txt").read_text() == "mine"


def test_a_folder_that_was_never_born_goes_after_an_hour(queue: Queue) -> None:
    (queue.folder / WRITER_FILE).unlink()
    queue.add_left_behind([])
    now = time.time()
    assert remove_unborn(queue.folder, now) == "young"
    assert remove_unborn(queue.folder, now + 4000) == "removed"
    assert not queue.folder.exists()


@pytest.mark.parametrize("where", ["segment", "journal"])
def test_an_unborn_folder_with_events_is_kept(queue: Queue, where: str) -> None:
    (queue.folder / WRITER_FILE).unlink()
    if where == "segment":
        queue.add_left_behind(queue.rows(1))
    else:
        queue.journal(queue.rows(1))
    assert remove_unborn(queue.folder, time.time() + 4000) == "quarantined"
    kept = queue.folder.parent / "quarantine" / UID / UID
    assert (kept / ("00000001.db" if where == "segment" else JOURNAL_FILE)).exists()


# -- blobs of dead letters


def test_blobs_of_dead_letters_outlive_their_writer(queue: Queue) -> None:
    spool = queue.folder.parent
    name = put_blob(queue.folder, b"an image")
    assert keep_dead_blobs(queue.folder, [name, "0" * 64]) == (name,)
    assert keep_dead_blobs(queue.folder, [name]) == (name,)
    blob_path(queue.folder, name).unlink()
    assert read_dead_blob(spool, name) == b"an image"
    assert sweep_dead_blobs(spool, frozenset({name})) == 0
    drop_dead_blobs(spool, [name])
    assert os.listdir(spool / "dead") == []


def test_blobs_whose_letter_was_never_committed_are_swept(queue: Queue) -> None:
    spool = queue.folder.parent
    assert sweep_dead_blobs(spool, frozenset()) == 0
    keep_dead_blobs(queue.folder, [put_blob(queue.folder, b"one"), put_blob(queue.folder, b"two")])
    assert sweep_dead_blobs(spool, frozenset()) == 2


# -- anything at all


@pytest.mark.crash
async def test_whatever_a_disk_does_every_number_is_answered_for(tmp_path: Path, pool: ReaderPool) -> None:
    template = Queue(tmp_path / "template")
    template.add_sealed(template.rows(60))
    template.add_left_behind(template.rows(120), sealed_row=True)
    template.add_left_behind(template.rows(80, 200))
    template.journal(template.rows(60))
    assert (template.folder / JOURNAL_FILE).stat().st_size == HEADER_BYTES + 2 * HALF_BYTES
    chance = random.Random(SEED)
    spool = tmp_path / "spool"
    for round_number in range(10 * ROUNDS):
        shutil.rmtree(spool, ignore_errors=True)
        shutil.copytree(tmp_path / "template", spool)
        story = [_harm(chance, spool / UID) for _ in range(chance.choice((1, 2, 5)))]
        where = f"seed {SEED}, round {round_number}: {story}"
        try:
            assert recover(spool / UID, shared=False, emitted=320).outcome == "done", where
            batch = await read_all(SpoolReader(spool / UID, pool, shared=True), emitted=320)
        except SpoolFormatError:
            continue  # the harm made it a newer livestream's
        assert batch.last == 320, where
        for record in batch.records:
            size = 200 if 181 <= record.seq <= 260 else 0
            assert record.event == event(record.seq, size), where
        await pool.forget(spool / UID)
        unlink_delivered(spool / UID, 320)
        assert remove_writer(spool / UID, 320), where


def _harm(chance: random.Random, folder: Path) -> tuple[str, str, int]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".json")
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    deed = chance.choice(("flip", "flip", "flip", "cut", "zero", "remove"))
    at = chance.randrange(max(len(content), 1))
    if path.suffix == ".sealed" or deed == "remove":
        path.unlink()
    elif deed == "flip" and content:
        content[at] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    elif deed == "cut":
        path.write_bytes(content[:at])
    else:
        content[at : at + 512] = bytes(len(content[at : at + 512]))
        path.write_bytes(content)
    return path.name, deed, at
