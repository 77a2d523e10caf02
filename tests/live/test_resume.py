from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream.live import resume
from livestream.live.metrics import MetricFiles, check_value
from livestream.live.resume import Row, drop_unfinished, rows_after

logged_values = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.sampled_from(
        ["nan", "inf", "-inf", "", "warm up", "a\tb", 'a "b"', "a\nb\n", '"\n"', "\r\n", "1_000", " 1", "x" * 99]
    )
)
names = st.sampled_from(["loss", "train/loss", "a\nb", 'a"b', "deep/er/and deeper", "été"])


def write(folder: Path, rows: list[Row]) -> None:
    files = MetricFiles(str(folder))
    for row in rows:
        files.append(row.name, row.step, check_value(row.name, row.value), row.timestamp_ms)
    files.close()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ascending(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.step)


rows_of_a_run = st.lists(
    st.builds(Row, names, st.integers(0, 9), st.none() | st.integers(0, 10**13), logged_values), max_size=20
).map(ascending)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file have many blocks."""
    monkeypatch.setattr(resume, "BLOCK_BYTES", 7)


@given(rows_of_a_run, st.integers(-1, 10))
@settings(deadline=None)
def test_the_rows_of_steps_that_did_not_end_are_cut_and_no_others(rows: list[Row], step: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        whole, wanted = Path(place, "whole"), Path(place, "wanted")
        write(whole, rows)
        before = tree(whole)
        write(wanted, [row for row in rows if row.step <= step])
        assert drop_unfinished(str(whole), step) == sum(row.step > step for row in rows)
        found, expected = tree(whole), tree(wanted)
        for name, content in found.items():
            if name in expected:
                assert content == expected[name]
            else:  # all its rows are gone: the header stays
                assert before[name].startswith(content)
                assert content.endswith(b"\n")
        assert drop_unfinished(str(whole), step) == 0
        assert tree(whole) == found


@given(rows_of_a_run, st.integers(-1, 10))
@settings(deadline=None)
def test_the_rows_after_a_step_are_those_that_were_logged(rows: list[Row], step: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), rows)
        found = rows_after(place, step)
    wanted = [row for row in rows if row.step > step]
    assert [row.step for row in found] == [row.step for row in wanted]
    for name in {row.name for row in rows}:
        mine = [row for row in found if row.name == name]
        assert mine == [row for row in wanted if row.name == name]
        assert [type(row.value) for row in mine] == [type(row.value) for row in wanted if row.name == name]


@given(rows_of_a_run, st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_a_row_that_was_not_written_to_its_end_is_cut(rows: list[Row], torn_bytes: int) -> None:
    rows = [row for row in rows if row.name == "loss" and "\n" not in str(row.value)]
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), rows)
        for path, content in tree(Path(place)).items():
            left = content[: max(len(content) - torn_bytes, 0)]
            Path(place, path).write_bytes(left)
            whole = left[: left.rfind(b"\n") + 1]
            assert drop_unfinished(place, 100) == int(left != whole)
            assert Path(place, path).read_bytes() == whole


def test_a_file_whose_header_was_torn_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "loss.tsv").write_text("ste")
    assert drop_unfinished(str(tmp_path), 5) == 1
    write(tmp_path, [Row("loss", 6, None, 0.5)])
    assert (tmp_path / "loss.tsv").read_text() == "step\tloss\n6\t0.5\n"


def test_rows_before_the_last_whole_step_are_not_looked_at(tmp_path: Path) -> None:
    content = "step\tloss\n9\t1\n3\t1\n8\t1\n7\t2\n"
    (tmp_path / "loss.tsv").write_text(content)
    assert rows_after(str(tmp_path), 5) == [Row("loss", 7, None, 2), Row("loss", 8, None, 1)]
    assert drop_unfinished(str(tmp_path), 5) == 2
    assert (tmp_path / "loss.tsv").read_text() == content[:-8]


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "BLOCK_BYTES", 65536)
    path = tmp_path / "loss.tsv"
    path.write_text("step\tloss\n" + "".join(f"{step}\t0.123456789\n" for step in range(300_000)))
    size = path.stat().st_size
    read: list[int] = []
    real = os.pread

    def pread(descriptor: int, count: int, offset: int) -> bytes:
        read.append(min(count, size - offset))
        return real(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert len(rows_after(str(tmp_path), 299_989)) == 10
    assert drop_unfinished(str(tmp_path), 299_989) == 10
    assert sum(read) < 500_000 < size / 10
    assert path.read_text().splitlines()[-1] == "299989\t0.123456789"


def test_rows_of_files_whose_timestamps_were_switched_are_understood(tmp_path: Path) -> None:
    rows = [Row("loss", 0, None, 1), Row("loss", 1, 12, 2), Row("loss", 2, None, 3)]
    write(tmp_path, rows)
    write(tmp_path, [Row("time", 0, 12, 1), Row("time", 1, None, 2)])
    assert rows_after(str(tmp_path), 0) == [rows[1], Row("time", 1, None, 2), rows[2]]
    assert drop_unfinished(str(tmp_path), 0) == 3
    assert (tmp_path / "loss.tsv").read_text() == "step\tloss\n0\t1\n"


def test_files_whose_steps_cannot_be_known_are_left_alone(tmp_path: Path) -> None:
    contents = {
        "step.tsv": "step\n7\n8\n",
        "timed/step.tsv": "timestamp\tstep\n12\t7\n",
        "timestamp.tsv": "timestamp\tstep\n99\t3\n",
        "words.tsv": "step\twords\nseven\t8\n",
        "empty.tsv": "",
        "header.tsv": "step\theader\n",
        "other.txt": "9\t1\n",
        ".tsv": "step\ta\n9\t1\n",
    }
    (tmp_path / "timed").mkdir()
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    assert rows_after(str(tmp_path), 1) == []
    assert drop_unfinished(str(tmp_path), 1) == 0
    assert {name: content.decode() for name, content in tree(tmp_path).items()} == contents


def test_only_the_metrics_that_are_asked_for_are_read(tmp_path: Path) -> None:
    write(tmp_path, [Row(name, 1, None, 0.5) for name in ("a", "b/c", "d")])
    assert rows_after(str(tmp_path), 0, {"b/c", "d"}) == [Row("b/c", 1, None, 0.5), Row("d", 1, None, 0.5)]


def test_a_folder_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert rows_after(str(tmp_path / "none"), 0) == []
    assert drop_unfinished(str(tmp_path / "none"), 0) == 0


def test_a_file_that_cannot_be_opened_is_said_and_the_others_are_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, [Row(name, 1, None, 0.5) for name in ("a", "c")])
    (tmp_path / "b.tsv").symlink_to("nowhere")
    assert drop_unfinished(str(tmp_path), 0) == 2
    assert rows_after(str(tmp_path), 0) == []
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "livestream.unfinished_rows_kept"),
        (logging.WARNING, "livestream.rows_not_read"),
    ]


def test_a_training_that_was_killed_in_its_step_goes_on_with_no_row_twice(tmp_path: Path) -> None:
    script = (
        "import itertools, sys; from livestream.live.metrics import MetricFiles\n"
        "files = MetricFiles(sys.argv[1])\n"
        "for step in itertools.count(int(sys.argv[2])):\n"
        "    for name in 'abc': files.append(name, step, step / 3)\n"
        "    print(step, flush=True)\n"
    )
    step = -1
    for _ in range(3):
        command: list[Any] = [sys.executable, "-c", script, tmp_path, str(step + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as training:
            assert training.stdout is not None
            lines = [training.stdout.readline() for _ in range(50)]
            training.send_signal(signal.SIGKILL)
            lines += training.stdout.readlines()
        step = int(lines[-1])
        assert drop_unfinished(str(tmp_path), step) in range(4)
    for name in "abc":
        header, *rows = (tmp_path / f"{name}.tsv").read_text().splitlines()
        assert header == f"step\t{name}"
        assert rows == [f"{number}\t{number / 3}" for number in range(step + 1)]
