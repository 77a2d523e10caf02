from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from livestream.live.writing import put, put_bytes, stamp, try_put


def test_a_file_and_the_folders_above_it_are_made_with_the_modes_that_open_gives(tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        path = tmp_path / f"{umask}" / "b" / "metrics.json"
        before = os.umask(umask)
        try:
            put(str(path), "é\r\n")
        finally:
            os.umask(before)
        assert path.read_bytes() == "é\r\n".encode()
        assert path.stat().st_mode & 0o777 == mode
        assert [file.name for file in path.parent.iterdir()] == ["metrics.json"]


def test_a_path_of_one_part_is_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put("dvc.yaml", "{}\n")
    assert (tmp_path / "dvc.yaml").read_text() == "{}\n"


def test_readers_find_the_old_content_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [letter * 200_000 for letter in (b"a", b"b")]
    put_bytes(str(path), contents[0])
    seen: set[bytes] = set()
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for count in range(400):
        put_bytes(str(path), contents[count % 2])
    is_over.set()
    reader.join()
    assert seen <= set(contents)


def test_a_kill_leaves_the_old_content_or_the_new_and_one_file_beside_it_at_most(tmp_path: Path) -> None:
    path = tmp_path / "file"
    script = (
        "import sys; from livestream.live.writing import put\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; put(sys.argv[1], f'{n}:' + 'x' * 100_000)\n"
        "    if n == 5: print(flush=True)\n"
    )
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        count, _, rest = path.read_text().partition(":")
        assert int(count) >= 5
        assert rest == "x" * 100_000
        assert {file.name for file in tmp_path.iterdir()} <= {"file", ".file.livestream"}
        with suppress(FileNotFoundError):
            os.utime(tmp_path / ".file.livestream", (0, 0))  # a job that is started again takes seconds


def test_a_stamp_stays_until_somebody_else_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert stamp(str(path)) is None
    written = put(str(path), "one")
    assert stamp(str(path)) == written
    path.write_text("two")
    os.utime(path, ns=(0, 0))
    assert stamp(str(path)) != written
    second = put(str(path), "one")
    assert stamp(str(path)) == second != written
    path.unlink()
    assert stamp(str(path)) is None


def test_a_link_is_followed_as_open_does_unless_its_target_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, link = tmp_path / "target", tmp_path / "sub" / "link"
    link.parent.mkdir()
    link.symlink_to("../target")
    put(str(link), "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    put(str(link), "newer")
    assert target.read_text() == "newer"

    monkeypatch.setattr(os, "access", lambda *_: False)  # these tests may run as root
    with pytest.raises(PermissionError):
        put(str(link), "x")
    assert target.read_text() == "newer"
    assert {file.name for file in tmp_path.iterdir()} == {"sub", "target"}


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".json")
    put(str(path), "1")
    assert path.read_text() == "1"
    with pytest.raises(OSError, match="too long"):
        put(str(tmp_path / ("a" * 256)), "1")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as caught:
        put(str(path), "1")
    assert caught.value.filename == str(path)
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_disk_that_takes_only_a_part_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    put(str(path), "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            put(str(path), "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_trouble_is_said_once_a_file_and_again_after_it_went(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "file"
    for _ in range(2):
        path.mkdir()
        assert [try_put(str(path), "1") for _ in range(3)] == [None] * 3
        path.rmdir()
        assert try_put(str(path), "1") == stamp(str(path))
        path.unlink()
    said = [(record.levelno, record.getMessage(), record.__dict__["file"]) for record in caplog.records]
    assert said == [(logging.ERROR, "livestream.live_file_not_written", str(path))] * 2


def modes(path: Path) -> tuple[int, int]:
    """The mode of a file, and of what is written beside it in the meantime: nobody may read more of it there."""
    with ThreadPoolExecutor(1) as pool:
        seen: set[int] = set()
        is_over = threading.Event()

        def look() -> None:
            while not is_over.is_set():
                with suppress(FileNotFoundError):
                    seen.add((path.parent / f".{path.name}.livestream").stat().st_mode & 0o777)

        looking = pool.submit(look)
        for _ in range(50):
            put(str(path), "new" * 10_000)
        is_over.set()
        looking.result()
    most = 0
    for mode in seen:
        most |= mode
    return path.stat().st_mode & 0o777, most


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    kept, most_beside = modes(path)
    assert kept == mode
    assert most_beside & ~mode == 0
    link = tmp_path / "link"
    link.symlink_to(path)
    put(str(link), "newer")
    assert path.read_text() == "newer"
    assert path.stat().st_mode & 0o777 == mode


def test_a_file_that_may_not_be_written_is_refused_as_open_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda file, _: bool(os.stat(file).st_mode & 0o200))  # these tests may be root
    with pytest.raises(PermissionError) as caught:
        put(str(path), "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    put(str(tmp_path / "other"), "new")
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


def test_processes_that_write_one_file_never_put_a_part_in_place(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    script = (
        "import sys; from livestream.live.writing import put\n"
        "for _ in range(300): put(sys.argv[1], sys.argv[2] * 300_000)\n"
        "print('written')\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(path), letter], stdout=subprocess.PIPE) for letter in "abc"
    ]
    seen: set[tuple[int, str]] = set()
    while any(writer.poll() is None for writer in writers):
        with suppress(FileNotFoundError):
            content = path.read_text()
            seen.add((len(content), "".join(sorted(set(content)))))
    for writer in writers:
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.read() == b"written\n"
    assert seen <= {(300_000, letter) for letter in "abc"}
    assert len(seen) > 0
    assert os.listdir(tmp_path) == ["dvc.yaml"]


def test_a_temporary_file_of_somebody_who_may_be_writing_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / ".file.livestream"
    theirs.write_text("half")
    for text in ("one", "two"):
        put(str(tmp_path / "file"), text)
    assert (theirs.read_text(), (tmp_path / "file").read_text()) == ("half", "two")
    assert sorted(os.listdir(tmp_path)) == [".file.livestream", "file"]


def test_a_temporary_file_that_a_kill_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".file.livestream"
    left.write_text("half")
    age = time.time() - 11
    os.utime(left, (age, age))
    put(str(tmp_path / "file"), "whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_that_was_put_where_the_temporary_file_goes_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    for age_s in (0, 11):
        victim.write_text("theirs")
        planted = tmp_path / ".file.livestream"
        with suppress(FileExistsError):
            planted.symlink_to(victim)
        then = time.time() - age_s
        os.utime(planted, (then, then), follow_symlinks=False)
        put(str(tmp_path / "file"), "ours")
        assert (victim.read_text(), (tmp_path / "file").read_text()) == ("theirs", "ours")
        assert not (tmp_path / "file").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["file", "victim"]


def test_a_dangling_link_is_no_way_to_make_a_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ".file.livestream").symlink_to(tmp_path / "made")
    put(str(tmp_path / "file"), "ours")
    assert sorted(os.listdir(tmp_path)) == [".file.livestream", "file"]
