from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from training_cases import small_disk

from livestream.files import FolderError, private_folder, write_whole


def test_a_private_folder_is_its_owners_alone(tmp_path: Path) -> None:
    open_to_all = tmp_path / "data"
    open_to_all.mkdir(mode=0o755)

    private_folder(open_to_all)
    private_folder(tmp_path / "a" / "b")

    assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_what_cannot_be_a_private_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderError, match="file"):
        private_folder(tmp_path / "file" / "below")


def test_a_file_is_put_in_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"first")
    seen: set[bytes] = set()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    contents = [bytes([65 + number]) * 100_000 for number in range(20)]
    for content in contents:
        write_whole(path, content)
    over.set()
    reader.join()

    assert seen <= {b"first", *contents}
    assert os.listdir(tmp_path) == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_for_which_there_is_no_space_leaves_the_old_one_and_nothing_else() -> None:
    with small_disk("64k") as disk:
        write_whole(disk / "file", b"old")
        with pytest.raises(OSError, match="No space") as refused:
            write_whole(disk / "file", b"n" * 100_000)

        assert refused.value.filename == str(disk / "file")
        assert (disk / "file").read_bytes() == b"old"
        assert os.listdir(disk) == ["file"]
