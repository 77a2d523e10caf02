from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from livestream.live import swapping
from livestream.live.swapping import SwappedFile


def test_the_file_holds_what_was_put_last_and_nothing_else_stays(tmp_path: Path) -> None:
    file = SwappedFile(str(tmp_path / "f.json"))
    for text in ("first", "a longer second", "3rd", ""):
        file.put(text)
        assert (tmp_path / "f.json").read_text() == text

    assert os.listdir(tmp_path) == ["f.json"]


def test_a_reader_never_finds_it_half_written(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    file = SwappedFile(str(path))
    file.put("[]")
    stop = threading.Event()
    broken: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                values = json.loads(path.read_text())
                assert len(set(values)) <= 1
            except Exception as error:  # noqa: BLE001 - any is what must not happen
                broken.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2000):
        file.put(json.dumps([number] * (number % 3000)))
    stop.set()
    reader.join()

    assert broken == []


def test_a_file_of_somebody_else_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    file = SwappedFile(str(path))
    file.put("ours")
    file.put("ours again")
    cached = tmp_path / "cached"
    cached.write_text("DVC's")
    path.unlink()
    os.link(cached, path)  # as `dvc checkout` does
    for text in ("one", "two", "three"):
        file.put(text)

    assert (cached.read_text(), path.read_text()) == ("DVC's", "three")


def test_what_a_kill_left_is_not_written_into(tmp_path: Path) -> None:
    spare, other = tmp_path / ".f.json.next.livestream", tmp_path / "other"
    other.write_text("other")
    os.link(other, spare)
    os.utime(other, (0, 0))
    file = SwappedFile(str(tmp_path / "f.json"))
    for text in ("one", "two"):
        file.put(text)

    assert other.read_text() == "other"
    assert (tmp_path / "f.json").read_text() == "two"
    assert sorted(os.listdir(tmp_path)) == ["f.json", "other"]


def test_what_somebody_may_be_writing_is_left_alone(tmp_path: Path) -> None:
    spare, other = tmp_path / ".f.json.next.livestream", tmp_path / "other"
    other.write_text("other")
    spare.symlink_to(other)
    file = SwappedFile(str(tmp_path / "f.json"))
    for text in ("one", "two", "three"):
        file.put(text)
        assert file.is_as_left()

    assert other.read_text() == "other"
    assert (tmp_path / "f.json").read_text() == "three"
    assert sorted(os.listdir(tmp_path)) == [".f.json.next.livestream", "f.json", "other"]


def test_the_mode_that_somebody_gave_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    file = SwappedFile(str(path))
    file.put("one")
    for mode in (0o600, 0o666, 0o640):
        path.chmod(mode)
        for text in ("two", "three"):
            file.put(text)
            assert path.stat().st_mode & 0o777 == mode


def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.json"
    file = SwappedFile(str(path))
    file.put("one")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda of, _: bool(os.stat(of).st_mode & 0o200))  # these tests may run as root
    with pytest.raises(PermissionError):
        file.put("two")

    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["f.json"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "f.json").symlink_to(target)
    file = SwappedFile(str(tmp_path / "f.json"))
    for text in ("one", "two"):
        file.put(text)

    assert (tmp_path / "f.json").is_symlink()
    assert target.read_text() == "two"


def test_without_the_system_call_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "_exchanger", lambda: None)
    file = SwappedFile(str(tmp_path / "f.json"))
    for text in ("one", "two"):
        file.put(text)

    assert (tmp_path / "f.json").read_text() == "two"
    assert os.listdir(tmp_path) == ["f.json"]


def test_a_file_that_is_gone_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "f.json"
    file = SwappedFile(str(path))
    file.put("one")
    file.put("two")
    path.unlink()
    assert not file.is_as_left()
    file.put("three")

    assert path.read_text() == "three"
    assert file.is_as_left()
