from __future__ import annotations

import os
import re
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_cases import line, start, succeed, writer_info

from livestream.errors import CorruptSpoolError, SpoolError, SpoolFormatError
from livestream.spool import layout
from livestream.spool.layout import FileLock, is_locked

HOLD = """
from pathlib import Path
from livestream.spool.layout import FileLock, is_locked
lock = FileLock(Path(sys.argv[1]))
say(lock.take())
sys.stdin.readline()
"""
ASK = """
from pathlib import Path
from livestream.spool.layout import FileLock, is_locked
path = Path(sys.argv[1])
say(is_locked(path), FileLock(path).take())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(path: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = start(HOLD, environ, path)
    assert line(process) == "True"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_of_another_process_is_seen_and_not_taken(path: Path, holder: subprocess.Popen[str]) -> None:
    lock = FileLock(path)
    assert is_locked(path)
    assert not lock.take()
    assert lock.descriptor == -1

    holder.kill()
    holder.wait()
    assert not is_locked(path)
    assert lock.take()
    lock.release()


def test_asking_for_our_own_lock_never_drops_it(path: Path, environ: dict[str, str]) -> None:
    lock = FileLock(path)
    assert lock.take()
    for same in (path, path.parent / "." / path.name, Path(os.path.relpath(path))):
        assert is_locked(same)
        assert not FileLock(same).take()

    assert succeed(ASK, environ, path) == "True False\n"
    lock.release()
    assert not is_locked(path)
    assert succeed(ASK, environ, path) == "False True\n"


def test_a_lock_reached_by_a_link_is_the_same_lock(path: Path, environ: dict[str, str]) -> None:
    link = path.parent / "link"
    link.symlink_to(path)
    lock = FileLock(path)
    assert lock.take()

    assert is_locked(link)
    assert not FileLock(link).take()
    assert succeed(ASK, environ, path) == "True False\n"
    lock.release()


def test_releasing_twice_is_releasing_once_and_the_lock_can_be_taken_again(path: Path) -> None:
    lock = FileLock(path)
    for _ in range(2):
        assert lock.take()
        assert not lock.take()
        lock.release()
        lock.release()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_does_not_exist_is_not_locked_and_is_not_made_by_asking(path: Path) -> None:
    assert not is_locked(path)
    assert not path.exists()


def test_only_one_of_many_threads_takes_a_lock(path: Path) -> None:
    locks = [FileLock(path) for _ in range(8)]
    ready = threading.Barrier(8)
    taken: list[FileLock] = []

    def race(lock: FileLock) -> None:
        ready.wait()
        if lock.take():
            taken.append(lock)

    threads = [threading.Thread(target=race, args=[lock]) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1
    taken[0].release()


def test_a_lock_is_kept_while_other_threads_take_ask_and_fail(path: Path, environ: dict[str, str]) -> None:
    over = threading.Event()

    def disturb() -> None:
        while not over.is_set():
            is_locked(path)
            other = FileLock(path)
            if other.take():
                other.release()

    path.touch()
    threads = [threading.Thread(target=disturb) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            lock = FileLock(path)
            while not lock.take():
                time.sleep(0)
            assert succeed(ASK, environ, path) == "True False\n"
            lock.release()
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_forked_child_holds_no_lock_and_its_end_drops_none(path: Path, environ: dict[str, str]) -> None:
    script = """
    import os
    from pathlib import Path
    from livestream.spool.layout import FileLock, is_locked
    path = Path(sys.argv[1])
    lock = FileLock(path)
    assert lock.take()
    child = os.fork()
    if not child:
        lock.forget()
        say("child", is_locked(path), FileLock(path).take())
        os._exit(0)
    os.waitpid(child, 0)
    say("parent", is_locked(path))
    os.write(1, b"held\\n")
    sys.stdin.readline()
    """
    process = start(script, environ, path)
    assert [line(process) for _ in range(3)] == ["child True False", "parent True", "held"]

    assert is_locked(path)
    process.kill()
    process.communicate()
    assert not is_locked(path)


def test_a_lock_that_cannot_be_made_is_a_spool_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolError, match="cannot open"):
        FileLock(tmp_path / "file" / "lock").take()


def test_a_folder_is_made_private_and_an_open_one_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("open", "new/below"):
        folder = layout.private_folder(tmp_path / name)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_another_user_is_refused_and_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 12345, -1)
    with pytest.raises(SpoolError, match="LIVESTREAM_SPOOL"):
        layout.private_folder(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_folder_that_everybody_shares_is_refused_and_not_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(SpoolError, match="LIVESTREAM_SPOOL"):
        layout.private_folder(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_below_a_file_is_a_spool_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolError, match="cannot make"):
        layout.private_folder(tmp_path / name)


def test_names_of_writers_sort_by_age_and_are_told_from_all_else(tmp_path: Path) -> None:
    uids = []
    for _ in range(5):
        uids.append(layout.new_uid())
        time.sleep(0.002)
    assert uids == sorted(uids)
    assert len({layout.new_uid() for _ in range(1000)}) == 1000
    for name in [*reversed(uids), "daemon.db", "w" + "x" * 22, uids[0].upper(), uids[0] + "0", "experiments"]:
        (tmp_path / name).mkdir()

    assert [folder.name for folder in layout.writer_folders(tmp_path)] == uids
    assert list(layout.writer_folders(tmp_path / "missing")) == []


@given(st.text(max_size=30))
def test_hardly_any_text_is_a_writers_name(name: str) -> None:
    assert layout.is_uid(name) is bool(re.fullmatch("w[0-9a-f]{22}", name))


def test_segments_are_found_by_their_whole_name(tmp_path: Path) -> None:
    for name in (
        "00000002.db",
        "00000010.db",
        "00000002.db-wal",
        "00000003.sealed",
        "1.db",
        ".00000004.db.ab",
        "x" * 8,
    ):
        (tmp_path / name).write_bytes(b"")

    assert layout.segment_numbers(tmp_path) == [2, 10]
    assert layout.segment_numbers(tmp_path / "missing") == []
    assert layout.sealed_path(layout.segment_path(tmp_path, 3)) == tmp_path / "00000003.sealed"


def test_what_a_writer_says_of_itself_is_read_back(tmp_path: Path) -> None:
    assert layout.read_writer_info(tmp_path) is None
    assert layout.read_writer_info(tmp_path / "missing") is None
    info = writer_info(uid=tmp_path.name, url="https://studio", offline=True, metric_prefix="rank3")
    (tmp_path / layout.WRITER_FILE).write_bytes(msgspec.json.encode(info))

    assert layout.read_writer_info(tmp_path) == info


def test_a_writer_of_a_newer_format_is_told_from_a_broken_one(tmp_path: Path) -> None:
    path = tmp_path / layout.WRITER_FILE
    path.write_bytes(b'{"format": 2, "all": "different"}')
    with pytest.raises(SpoolFormatError, match="2"):
        layout.read_writer_info(tmp_path)
    for broken in (b"", b"{", b"[]", b"null", b'{"format": "x"}', b'{"format": 1}', b"\xff", b'{"format": 1.5}'):
        path.write_bytes(broken)
        with pytest.raises(CorruptSpoolError, match=re.escape(str(path))):
            layout.read_writer_info(tmp_path)


def test_a_newer_writer_of_the_same_format_is_read_without_what_it_added(tmp_path: Path) -> None:
    info = writer_info(uid=tmp_path.name)
    content = msgspec.to_builtins(info) | {"invented_later": [1, 2]}
    (tmp_path / layout.WRITER_FILE).write_bytes(msgspec.json.encode(content))

    assert layout.read_writer_info(tmp_path) == info


def test_all_processes_of_a_spool_have_one_secret(tmp_path: Path, environ: dict[str, str]) -> None:
    script = """
    from pathlib import Path
    from livestream.spool.layout import spool_key
    sys.stdin.readline()
    say(spool_key(Path(sys.argv[1])).hex())
    """
    processes = [start(script, environ, tmp_path) for _ in range(4)]
    keys = {process.communicate(timeout=30)[0].strip() for process in processes}

    assert keys == {layout.spool_key(tmp_path).hex()}
    assert len(layout.spool_key(tmp_path)) == 32
    assert [name for name in os.listdir(tmp_path) if "key" in name] == ["key"]
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 33])
def test_a_damaged_secret_is_made_anew_and_then_stays(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(damaged)
    key = layout.spool_key(tmp_path)

    assert len(key) == 32
    assert layout.spool_key(tmp_path) == key


def test_the_size_of_a_folder_is_what_it_takes_on_its_disk(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "full").write_bytes(b"x" * 100_000)
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "loop").symlink_to(tmp_path)

    assert 100_000 <= layout.folder_bytes(tmp_path) < 200_000
    assert layout.folder_bytes(tmp_path / "missing") == 0


def test_a_heartbeat_is_what_was_last_written(tmp_path: Path) -> None:
    assert layout.read_heartbeat(tmp_path) == b""
    (tmp_path / layout.HEARTBEAT_FILE).write_bytes(b"7")

    assert layout.read_heartbeat(tmp_path) == b"7"
    assert layout.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
