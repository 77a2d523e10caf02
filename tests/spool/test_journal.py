from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from livestream.errors import CorruptSpoolError
from livestream.spool.journal import (
    FRAME_BYTES,
    HEADER_BYTES,
    REASONS,
    Counters,
    Frame,
    Journal,
    Taken,
    read_counters,
    read_frames,
)

HALF = 512
both_modes = pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "pwrite"])
payloads = st.binary(min_size=1, max_size=HALF // 3)


@contextmanager
def a_journal(*, mapped: bool, half_bytes: int = HALF) -> Iterator[tuple[Journal, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        journal = Journal(path, mapped=mapped, half_bytes=half_bytes)
        try:
            yield journal, path
        finally:
            journal.close()


def payload_of(taken: Taken, content: bytes) -> list[tuple[int, bytes]]:
    return [(seq, content[at - 1 : at - 1 + length]) for seq, at, length, _ in taken.index]


class JournalMachine(RuleBasedStateMachine):
    """The journal beside a model of it: what is not released is what a reader finds after a crash at any moment."""

    @initialize(mapped=st.booleans())
    def make(self, mapped: bool) -> None:  # noqa: FBT001 - a strategy's value
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal"
        self.journal = Journal(self.path, mapped=mapped, half_bytes=HALF)
        self.released = 0
        self.active: list[bytes] = []
        self.taken: list[bytes] = []

    @property
    def seq(self) -> int:
        return self.released + len(self.taken) + len(self.active)

    def room(self, payload: bytes) -> bool:
        used = sum(FRAME_BYTES + len(held) for held in self.active)
        return used + FRAME_BYTES + len(payload) <= HALF

    @rule(payload=payloads)
    def append(self, payload: bytes) -> None:
        fits = self.room(payload)
        assert self.journal.append(self.seq + 1, payload) is (fits or not self.taken)
        if fits:
            self.active.append(payload)
        elif not self.taken:
            self.taken, self.active = self.active, [payload]

    @rule()
    def append_what_no_half_can_hold(self) -> None:
        assert not self.journal.append(self.seq + 1, b"x" * (HALF - FRAME_BYTES + 1))

    @rule()
    def take(self) -> None:
        taken = self.journal.take()
        if not self.taken:
            self.taken, self.active = self.active, []
        found = payload_of(taken, self.journal.content(taken)) if taken else []
        assert found == list(enumerate(self.taken, start=self.released + 1))

    @precondition(lambda self: self.taken)
    @rule()
    def release(self) -> None:
        self.journal.release()
        self.released += len(self.taken)
        self.taken = []

    @invariant()
    def a_crash_now_leaves_what_was_not_released(self) -> None:
        frames = read_frames(self.path, self.released)
        expected = list(enumerate(self.taken + self.active, start=self.released + 1))
        assert [(frame.seq, frame.payload) for frame in frames] == expected
        assert all(frame.crc == crc32(frame.payload, frame.seq) for frame in frames)
        assert self.journal.pending is bool(expected)

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()


JournalMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_the_journal_does_what_its_model_does = JournalMachine.TestCase


def filled(journal: Journal, first: int, sizes: list[int]) -> list[bytes]:
    held = [bytes([65 + seq % 26]) * size for seq, size in enumerate(sizes, start=first)]
    for seq, payload in enumerate(held, start=first):
        assert journal.append(seq, payload)
    return held


@both_modes
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=9), place=st.floats(0, 1), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_costs_its_frame_and_those_behind_it_and_invents_none(
    *, mapped: bool, sizes: list[int], place: float, bit: int
) -> None:
    with a_journal(mapped=mapped, half_bytes=1024) as (journal, path):
        held = filled(journal, 1, sizes)
        ends = [sum(FRAME_BYTES + size for size in sizes[:count]) for count in range(1, len(sizes) + 1)]
        hit = min(int(place * ends[-1]), ends[-1] - 1)
        content = bytearray(path.read_bytes())
        content[HEADER_BYTES + hit] ^= 1 << bit
        path.write_bytes(content)

        intact = sum(end <= hit for end in ends)
        assert [frame.payload for frame in read_frames(path, 0)] == held[:intact]


@both_modes
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=9), cut=st.integers(0, 1024))
@settings(max_examples=40, deadline=None)
def test_a_cut_journal_gives_the_frames_before_the_cut(*, mapped: bool, sizes: list[int], cut: int) -> None:
    with a_journal(mapped=mapped, half_bytes=1024) as (journal, path):
        held = filled(journal, 1, sizes)
        os.truncate(path, HEADER_BYTES + cut)

        ends = [sum(FRAME_BYTES + size for size in sizes[:count]) for count in range(1, len(sizes) + 1)]
        assert [frame.payload for frame in read_frames(path, 0)] == held[: sum(end <= cut for end in ends)]


@both_modes
def test_frames_of_earlier_uses_are_never_taken_for_new_ones(*, mapped: bool) -> None:
    with a_journal(mapped=mapped) as (journal, path):
        seq = 0
        for use in range(6):
            count = 8 - use  # each use is shorter, so that whole frames of earlier ones lie right behind it
            for _ in range(count):
                seq += 1
                assert journal.append(seq, seq.to_bytes(8, "little") * 4)
            found = read_frames(path, seq - count)
            assert [frame.seq for frame in found] == list(range(seq - count + 1, seq + 1))
            assert read_frames(path, seq) == []
            assert journal.take()
            journal.release()


@both_modes
def test_a_frame_torn_before_its_header_is_an_old_frame_or_none(*, mapped: bool) -> None:
    with a_journal(mapped=mapped) as (journal, path):
        filled(journal, 1, [32, 32])
        assert journal.take()
        journal.release()
        filled(journal, 3, [32])
        assert journal.take()
        journal.release()
        with path.open("r+b") as file:  # the first half again: frame 4's payload is there, its header is not
            file.seek(HEADER_BYTES + FRAME_BYTES)
            file.write(b"n" * 32)

        assert read_frames(path, 3) == []


@both_modes
def test_a_sequence_number_beyond_32_bits_is_kept_whole(*, mapped: bool) -> None:
    with a_journal(mapped=mapped) as (journal, path):
        seq = (1 << 32) + 5
        assert journal.append(seq, b"{}")

        assert read_frames(path, seq - 1) == [Frame(seq, crc32(b"{}", 4), b"{}")]


@both_modes
def test_the_frames_behind_the_cursor_are_read_also_where_some_before_them_are_lost(*, mapped: bool) -> None:
    with a_journal(mapped=mapped) as (journal, path):
        filled(journal, 5, [10, 10])

        assert [frame.seq for frame in read_frames(path, 4)] == [5, 6]
        assert [frame.seq for frame in read_frames(path, 5)] == [6]
        assert [frame.seq for frame in read_frames(path, 3)] == [5, 6]


@both_modes
def test_the_counters_are_read_while_the_writer_lives_and_after_it(*, mapped: bool) -> None:
    with a_journal(mapped=mapped) as (journal, path):
        assert read_counters(path) == Counters({}, 0, 0)
        for total, reason in enumerate(REASONS, start=1 << 40):
            journal.count_refused(reason, total)
        journal.count_trimmed(7)
        journal.note_signal(15)

        expected = Counters({reason: total for total, reason in enumerate(REASONS, start=1 << 40)}, 7, 15)
        assert read_counters(path) == expected
        filled(journal, 1, [100, 100, 100])
        journal.close()
        assert read_counters(path) == expected
        assert len(read_frames(path, 0)) == 3


@both_modes
def test_a_closed_journal_takes_counts_in_silence(*, mapped: bool) -> None:
    with a_journal(mapped=mapped) as (journal, path):
        journal.note_signal(2)
        journal.close()
        journal.count_refused("closed", 1)
        journal.count_trimmed(1)
        journal.note_signal(15)
        journal.close()

        assert read_counters(path) == Counters({}, 0, 2)


@both_modes
def test_the_whole_space_is_reserved_before_the_first_frame(*, mapped: bool) -> None:
    with a_journal(mapped=mapped, half_bytes=128 * 1024) as (_, path):
        status = path.stat()

        assert status.st_size == HEADER_BYTES + 2 * 128 * 1024
        assert status.st_blocks * 512 >= status.st_size
        assert status.st_mode & 0o777 == 0o600


@both_modes
def test_a_journal_without_space_leaves_no_file_and_no_descriptor(*, mapped: bool, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError):
        Journal(tmp_path / "journal", mapped=mapped, half_bytes=1 << 61)

    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_journal_that_is_there_is_never_begun_anew() -> None:
    with a_journal(mapped=True) as (journal, path):
        filled(journal, 1, [10])
        with pytest.raises(FileExistsError):
            Journal(path, mapped=True, half_bytes=HALF)

        assert len(read_frames(path, 0)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"lsjrnl01",
        b"\0" * HEADER_BYTES,
        b"SQLite format 3\0" * 512,
        struct.pack("<8sQ", b"lsjrnl01", 0).ljust(HEADER_BYTES, b"\0"),
        struct.pack("<8sQ", b"lsjrnl01", 1 << 62).ljust(HEADER_BYTES, b"\0"),
        struct.pack("<8sQ", b"lsjrnl02", HALF).ljust(HEADER_BYTES, b"\0"),
    ],
    ids=["empty", "short", "zeros", "foreign", "no half", "absurd half", "newer"],
)
def test_what_is_no_journal_is_called_corrupt(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(CorruptSpoolError, match=str(path)):
        read_frames(path, 0)
    with pytest.raises(CorruptSpoolError, match=str(path)):
        read_counters(path)


def test_a_missing_journal_is_told_apart_from_a_corrupt_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_frames(tmp_path / "journal", 0)
    with pytest.raises(FileNotFoundError):
        read_counters(tmp_path / "journal")


def test_a_header_alone_holds_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(struct.pack("<8sQ", b"lsjrnl01", HALF).ljust(HEADER_BYTES, b"\0"))

    assert read_frames(path, 0) == []
