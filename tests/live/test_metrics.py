from __future__ import annotations

import errno
import logging
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from dvclive.plots.metric import Metric
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from livestream.live.error import InvalidDataTypeError, InvalidNameError
from livestream.live.metrics import MetricFiles, check_value, parts_of, plain

NOW_S = 1_700_000_000.5
NOW_MS = 1_700_000_000_500


class Count(IntEnum):
    THREE = 3


class Word(str, Enum):  # noqa: UP042 - users have both kinds, and str() of them differs
    WARMUP = "warm\tup"


class Loss(float):
    def __str__(self) -> str:
        return f"about\t{float(self)}"


NUMPY_SCALARS = [
    kind(3)
    for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.intc, np.intp)
] + [kind(0.1) for kind in (np.float16, np.float32, np.float64)]
ACCEPTED: list[Any] = [
    0,
    -7,
    2**63,
    10**300,
    0.1 + 0.2,
    1e16,
    -0.0,
    5e-324,
    True,
    False,
    "",
    "warmup",
    np.str_("a"),
    Count.THREE,
]
ACCEPTED += [Word.WARMUP, Loss(0.5), *NUMPY_SCALARS]
REFUSED: list[Any] = [
    None,
    1j,
    b"a",
    [1],
    {"a": 1},
    np.array(1.0),
    np.array([1]),
    np.bool_(1),
    np.longlong(1),
    np.longdouble(1),
]
REFUSED += [np.datetime64("2020"), Fraction(1, 2), object(), float]
NOT_FINITE = [
    kind(text) for kind in (float, Loss, np.float16, np.float32, np.float64) for text in ("nan", "inf", "-inf")
]

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
awkward_texts = st.text(st.sampled_from("a1 \t\n\r\"'\\\\;,é\x1f\u2028"), max_size=8)
levels = (
    (texts | awkward_texts).map(lambda text: text.replace("/", "")).filter(lambda text: text not in ("", ".", ".."))
)
names = st.lists(levels, min_size=1, max_size=3).map("/".join) | st.sampled_from(
    ["step", "timestamp", "a/step", "./a", "a//b", "a/./b", "a/", "a/.", "..a", "a..", "nan", "0"]
)
values = (
    st.sampled_from(ACCEPTED + NOT_FINITE)
    | st.floats()
    | st.integers(-(10**40), 10**40)
    | texts
    | awkward_texts
    | st.floats(width=32).map(np.float32)
    | st.floats(width=16).map(np.float16)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
)
rows = st.tuples(names, st.integers(-5, 10**12), values, st.booleans())


def write_theirs(folder: Path, name: str, step: int, value: Any, *, timestamp: bool = False) -> None:
    """Do what DVCLive's log_metric does with the file."""
    assert Metric.could_log(value)
    if not isinstance(value, str) and not math.isfinite(value):
        value = str(value)
    metric = Metric(name, str(folder))
    metric.step = step
    with mock.patch("dvclive.plots.metric.time.time", return_value=NOW_S):
        metric.dump(value, timestamp=timestamp)


def write_ours(files: MetricFiles, name: str, step: int, value: Any, *, timestamp: bool = False) -> None:
    files.append(name, step, check_value(name, value), NOW_MS if timestamp else None)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def descriptors(folder: Path) -> int:
    """How many files below a folder this process holds open."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed them
            count += os.readlink(f"/proc/self/fd/{name}").startswith(f"{folder}/")
    return count


@contextmanager
def limit(kind: int, value: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ours" / "plots" / "metrics"


@pytest.fixture
def files(folder: Path) -> Iterator[MetricFiles]:
    files = MetricFiles(str(folder))
    yield files
    files.close()


# -- values


@pytest.mark.parametrize("value", ACCEPTED, ids=lambda value: f"{type(value).__name__}-{value!r}")
def test_what_dvclive_takes_is_taken_as_it_is(value: Any) -> None:
    assert Metric.could_log(value)
    for _ in range(2):
        assert check_value("a", value) is value


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_dvclive_refuses_is_refused_with_its_words(value: Any) -> None:
    assert not Metric.could_log(value)
    with pytest.raises(InvalidDataTypeError) as caught:
        check_value("a/b", value)
    assert str(caught.value) == f"Data 'a/b' has not supported type {type(value)}"


@pytest.mark.parametrize("value", NOT_FINITE, ids=lambda value: f"{type(value).__name__}-{float(value)}")
def test_what_is_no_number_becomes_a_text(value: Any) -> None:
    assert check_value("a", value) == str(value)


def test_an_int_beyond_every_float_is_an_error_as_in_dvclive() -> None:
    with pytest.raises(OverflowError, match="int too large to convert to float"):
        check_value("a", 10**309)


def test_a_text_that_is_no_unicode_is_an_error_as_in_dvclive(tmp_path: Path) -> None:
    for write in (lambda: check_value("a", "\ud800"), lambda: write_theirs(tmp_path, "a", 0, "\ud800")):
        with pytest.raises(UnicodeEncodeError):
            write()


def test_plain_values_are_exactly_pythons_own_types() -> None:
    for value in ACCEPTED:
        assert type(plain(value)) in (int, float, bool, str)
    assert plain(np.float32(0.1)) == float(np.float32(0.1))
    assert plain(np.uint64(2**64 - 1)) == 2**64 - 1
    assert (plain(True), plain(Count.THREE), plain(Word.WARMUP)) == (True, 3, "warm\tup")


def test_ints_that_have_more_than_64_bits_are_the_floats_next_to_them() -> None:
    for value in (2**64, -(2**63) - 1, 10**40):
        assert type(plain(value)) is float
        assert plain(value) == pytest.approx(value)
    for value in (2**64 - 1, -(2**63)):
        assert type(plain(value)) is int


# -- names


@given(names)
@settings(deadline=None)
def test_levels_are_those_of_dvclives_summary(name: str) -> None:
    assert list(parts_of(name)) == Metric(name, "plots").summary_keys


@pytest.mark.parametrize("name", ["a/../b", "a/b/..", "a/b/../../c"])
def test_dots_that_stay_in_the_folder_are_resolved(name: str) -> None:
    assert list(parts_of(name)) == Metric(name, "plots").summary_keys


@pytest.mark.parametrize(
    "name", ["", ".", "./", "a/..", "..", "../a", "a/../../b", "/a", "//a", "a\0b", "\ud800", 1, None, Path("a"), b"a"]
)
def test_names_that_are_no_path_below_the_folder_are_refused(name: object, files: MetricFiles, tmp_path: Path) -> None:
    with pytest.raises(InvalidNameError):
        parts_of(name)
    with pytest.raises(InvalidNameError):
        files.append(name, 0, 1.0)  # type: ignore[arg-type]
    assert tree(tmp_path) == {}


# -- files


@given(st.lists(rows, max_size=12), st.integers(0, 3))
@settings(deadline=None)
@example([("a", 0, "x\ty", False), ("a", 1, "", False), ("a", 2, 'say "hi"\r\n', True), ("step", 3, "", False)], 9)
def test_files_have_the_bytes_that_dvclive_writes(logged: list[tuple[str, int, Any, bool]], max_open: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        theirs, ours = Path(place, "theirs"), Path(place, "ours")
        files = MetricFiles(str(ours / "metrics"), max_open)
        try:
            for name, step, value, timestamp in logged:
                try:
                    write_theirs(theirs, name, step, value, timestamp=timestamp)
                except OSError:  # one name's folder has the name of another's file
                    assume(False)
                write_ours(files, name, step, value, timestamp=timestamp)
                assert tree(ours) == tree(theirs)
        finally:
            files.close()
        assert files.failed == 0
        assert files.exists is (ours / "metrics").is_dir()


def counted(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Count calls of os's functions: their names are added in the order of the calls."""
    calls: list[str] = []

    def count(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **named: Any) -> Any:
            calls.append(name)
            return real(*args, **named)

        monkeypatch.setattr(os, name, call)

    for name in names:
        count(name)
    return calls


def test_an_open_file_costs_one_system_call_a_row(
    files: MetricFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, "open", "write", "close", "stat", "fstat", "makedirs", "mkdir")
    files.append("train/loss", 0, 0.5)
    calls.clear()
    for step in range(1, 100):
        files.append("train/loss", step, 0.5)
    assert calls == ["write"] * 99
    monkeypatch.undo()
    assert len((folder / "train" / "loss.tsv").read_text().splitlines()) == 101


def test_a_row_is_in_its_file_when_append_returns_whatever_kills_the_process(folder: Path) -> None:
    script = (
        "import itertools, sys; from livestream.live.metrics import MetricFiles\n"
        "files = MetricFiles(sys.argv[1])\n"
        "for step in itertools.count():\n"
        "    files.append('loss', step, 0.5); print(step, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE) as training:
        assert training.stdout is not None
        said = [training.stdout.readline() for _ in range(200)]
        training.send_signal(signal.SIGKILL)
        said += training.stdout.readlines()
    header, *written = (folder / "loss.tsv").read_text().split("\n")[:-1]
    assert header == "step\tloss"
    assert written[: len(said)] == [f"{step}\t0.5" for step in range(len(said))]
    assert len(written) - len(said) in (0, 1)


def test_no_more_files_are_open_than_allowed_and_all_get_their_rows(folder: Path, tmp_path: Path) -> None:
    files = MetricFiles(str(folder), max_open=5)
    for step in range(4):
        for number in range(12):
            write_ours(files, f"m{number % 3}/x{number}", step, number)
            write_theirs(tmp_path / "theirs", f"m{number % 3}/x{number}", step, number)
            assert descriptors(tmp_path) == min(5, step * 12 + number + 1)
        files.verify()
    files.close()
    assert descriptors(tmp_path) == 0
    assert tree(folder) == tree(tmp_path / "theirs" / "metrics")


def test_files_that_are_used_no_more_leave_their_descriptors_to_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = MetricFiles(str(folder), max_open=3)
    for name in "abc":
        files.append(f"old/{name}", 0, 1)
    for step in range(10):
        for name in "abc":
            files.append(f"new/{name}", step, 1)
        files.verify()
    assert descriptors(folder / "new") == 3
    assert descriptors(folder / "old") == 0
    opened = mock.Mock(side_effect=AssertionError("a file was opened again"))
    monkeypatch.setattr(os, "open", opened)
    for name in "abc":
        files.append(f"new/{name}", 10, 1)
    monkeypatch.undo()
    files.close()


def test_the_limit_of_descriptors_is_the_systems_quarter(tmp_path: Path) -> None:
    with limit(resource.RLIMIT_NOFILE, 200):
        files = MetricFiles(str(tmp_path))
        for number in range(80):
            files.append(str(number), 0, 1)
        assert descriptors(tmp_path) == 50
    files.close()
    assert len(tree(tmp_path)) == 80


def test_where_the_process_has_no_descriptors_left_ours_are_given_up(tmp_path: Path) -> None:
    files = MetricFiles(str(tmp_path / "metrics"), max_open=100)
    taken: list[int] = []
    with limit(resource.RLIMIT_NOFILE, len(os.listdir("/proc/self/fd")) + 20):
        for number in range(10):
            files.append(str(number), 0, 1)
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE  # noqa: PT017 - the loop ends with it
        for number in range(15):
            files.append(str(number), 1, 1)
        for descriptor in taken:
            os.close(descriptor)
    files.close()
    assert files.failed == 0
    found = tree(tmp_path / "metrics")
    assert {name: len(content.splitlines()) for name, content in found.items()} == {
        f"{number}.tsv": 3 if number < 10 else 2 for number in range(15)
    }


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.with_suffix(".new").write_text("step\tloss\n77\t1\n")
    path.with_suffix(".new").rename(path)


def moved(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def folder_removed(path: Path) -> None:
    shutil.rmtree(path.parent.parent)


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("before"))


def truncated(path: Path) -> None:
    path.write_text("step\tloss\n")


@pytest.mark.parametrize("happens", [removed, replaced, moved, folder_removed, folder_moved, truncated])
@pytest.mark.parametrize("max_open", [0, 8])
def test_what_somebody_does_to_a_file_has_the_end_that_it_has_with_dvclive(
    happens: Any, max_open: int, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    files = MetricFiles(str(ours / "metrics"), max_open)
    for step in range(3):
        write_ours(files, "train/loss", step, 0.5)
        write_theirs(theirs, "train/loss", step, 0.5)
        if step == 1:
            for folder in (ours, theirs):
                happens(folder / "metrics" / "train" / "loss.tsv")
        files.verify()
        assert files.exists is (ours / "metrics").is_dir()
    files.close()
    assert tree(ours) == tree(theirs)


def stashed(path: Path) -> None:
    """As `git stash -u` and `git stash pop` do: another file with the same content."""
    content = path.read_text()
    path.unlink()
    path.write_text(content)


@pytest.mark.parametrize("happens", [removed, replaced, folder_removed, truncated, stashed])
@pytest.mark.parametrize("max_open", [0, 8])
def test_what_somebody_does_to_a_file_between_two_steps_costs_no_row(
    happens: Any, max_open: int, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    files = MetricFiles(str(ours / "metrics"), max_open)
    for step in range(4):
        for value in (0.5, 0.25):
            write_ours(files, "train/loss", step, value)
            write_theirs(theirs, "train/loss", step, value)
        assert tree(ours) == tree(theirs)
        files.verify()
        if step % 2 == 1:
            for folder in (ours, theirs):
                happens(folder / "metrics" / "train" / "loss.tsv")
    files.close()
    assert files.failed == 0


def test_gits_stash_between_two_steps_loses_no_row(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    files = MetricFiles(str(tmp_path / "dvclive" / "plots" / "metrics"))
    names = ("train/loss", "train/acc", "lr")
    for step in range(3):
        for name in names:
            files.append(name, step, 0.5)
        files.verify()
        git("stash", "-u")
        git("stash", "pop")
    files.close()
    for name in names:
        rows = (tmp_path / "dvclive" / "plots" / "metrics" / f"{name}.tsv").read_text().splitlines()
        assert rows[1:] == [f"{step}\t0.5" for step in range(3)]


def test_a_step_asks_once_a_file_whether_it_has_a_name_still(
    files: MetricFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, "open", "write", "close", "stat", "fstat")
    for _ in range(2):
        calls.clear()
        for step in range(5):
            for number in range(10):
                files.append(f"m{number}", step, 0.5)
        files.verify()
        assert files.exists
    monkeypatch.undo()
    assert {name: calls.count(name) for name in set(calls)} == {"write": 50, "fstat": 10, "stat": 1}


def test_whether_the_folder_is_there_is_true_after_each_step(files: MetricFiles, folder: Path) -> None:
    for step in range(12):
        files.append(f"m{step % 3}", step, 0.5)
        if step % 4 == 3:
            shutil.rmtree(folder)
        elif step % 4 == 1:
            (folder / "m0.tsv").unlink(missing_ok=True)
        files.verify()
        assert files.exists is (step % 4 != 3)


def test_a_run_that_nobody_ended_gives_its_descriptors_back(folder: Path) -> None:
    for _ in range(3):
        files = MetricFiles(str(folder))
        for number in range(20):
            files.append(f"m{number}", 0, 0.5)
        assert descriptors(folder) == 20
        del files
        assert descriptors(folder) == 0


def test_the_runs_of_a_process_share_its_descriptors(tmp_path: Path) -> None:
    runs = [MetricFiles(str(tmp_path / f"{number}"), max_open=6) for number in range(4)]
    for step in range(3):
        for files in runs:
            for number in range(4):
                files.append(f"m{number}", step, 0.5)
            assert descriptors(tmp_path) <= 6
    runs[0].close()
    for number in range(4):
        runs[2].append(f"m{number}", 3, 0.5)
    assert descriptors(tmp_path / "2") == 4
    for files in runs:
        files.close()
    assert descriptors(tmp_path) == 0
    assert {len(content.splitlines()) for content in tree(tmp_path).values()} == {4, 5}


def test_a_file_that_a_kill_left_empty_gets_its_header(files: MetricFiles, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "loss.tsv").touch()
    files.append("loss", 3, 0.5)
    assert (folder / "loss.tsv").read_text() == "step\tloss\n3\t0.5\n"


def test_a_disk_that_is_full_is_said_once_counted_and_leaves_no_half_row(
    files: MetricFiles, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files.append("loss", 0, 0.5)
    files.append("text", 0, "a")
    with limit(resource.RLIMIT_FSIZE, 1000):
        for step in range(1, 5):
            files.append("text", step, "x" * 2000)
            files.append("new", step, "x" * 2000)
        for step in range(1, 200):
            files.append("loss", step, 0.5)
    files.append("text", 9, "b")
    files.append("new", 9, "c")
    lines = (folder / "loss.tsv").read_text().splitlines()
    assert 100 < len(lines) < 200
    assert lines == ["step\tloss", *(f"{step}\t0.5" for step in range(len(lines) - 1))]
    assert (folder / "text.tsv").read_text() == "step\ttext\n0\ta\n9\tb\n"
    assert (folder / "new.tsv").read_text() == "step\tnew\n9\tc\n"
    assert files.failed == 8 + 200 - len(lines) + 1
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "livestream.live_file_not_written")
    ]


def test_closed_files_open_again(files: MetricFiles, folder: Path) -> None:
    files.append("loss", 0, 0.5)
    files.close()
    files.close()
    assert descriptors(folder) == 0
    files.append("loss", 1, 0.5)
    assert (folder / "loss.tsv").read_text() == "step\tloss\n0\t0.5\n1\t0.5\n"


def test_an_earlier_runs_file_is_continued(folder: Path) -> None:
    for step in range(2):
        files = MetricFiles(str(folder))
        assert files.exists is (step == 1)
        files.append("loss", step, 0.5, 12 + step)
        files.close()
    assert (folder / "loss.tsv").read_text() == "timestamp\tstep\tloss\n12\t0\t0.5\n13\t1\t0.5\n"


def test_a_forked_child_adds_whole_rows(files: MetricFiles, folder: Path) -> None:
    files.append("loss", 0, 0.5)
    child = os.fork()
    if child == 0:
        for step in range(500):
            files.append("loss", step, "child")
        os._exit(0)
    for step in range(500):
        files.append("loss", step, "parent")
    assert os.waitpid(child, 0)[1] == 0
    lines = (folder / "loss.tsv").read_text().splitlines()
    assert len(lines) == 1002
    for who in ("child", "parent"):
        assert [line for line in lines if line.endswith(who)] == [f"{step}\t{who}" for step in range(500)]


def test_a_name_that_no_file_can_have_is_the_callers_error(files: MetricFiles, folder: Path) -> None:
    (folder / "a.tsv").mkdir(parents=True)
    files.append("b", 0, 1)
    for name in ("x" * 300, "a", "b.tsv/c"):
        for _ in range(2):
            with pytest.raises(InvalidNameError):
                files.append(name, 0, 1)
    assert files.failed == 0
