from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest
from training_cases import small_disk, succeed, writer_info

from livestream.spool.writer import SpoolWriter, WriterOptions

GIB = 1024**3
PREFACE = """
import logging
import resource
import sqlite3
from pathlib import Path
from training_cases import bodies, payload, use_up, writer_info
from livestream.spool import layout
from livestream.spool.journal import read_counters
from livestream.spool.writer import SpoolWriter, WriterOptions

logging.disable()
GIB = 1024**3
"""


def test_a_blob_without_space_is_none_and_leaves_nothing() -> None:
    with small_disk("6m") as disk:
        writer = SpoolWriter(disk, writer_info(), WriterOptions(quota_bytes=GIB))
        assert writer.put_blob(bytes(50 * 1024**2)) is None
        assert os.listdir(writer.folder / "blobs") == []
        writer.close()
        assert writer.finish()


def test_a_writer_that_cannot_be_born_leaves_no_folder_no_lock_and_no_descriptor() -> None:
    with small_disk("200k") as disk:
        before = sorted(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(OSError):
                SpoolWriter(disk, writer_info(), WriterOptions(quota_bytes=GIB))
        assert os.listdir(disk) == []
        assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_disk_that_fills_up_costs_only_what_is_refused_and_counted(environ: dict[str, str]) -> None:
    script = """
    disk = Path(sys.argv[1])
    writer = SpoolWriter(disk, writer_info(), WriterOptions(quota_bytes=GIB))
    accepted = []
    def offer(count):
        for _ in range(count):
            body = payload(len(accepted) + 1, 2000)
            seq = writer.append(body)
            if seq is not None:
                accepted.append(body)
                assert seq == len(accepted)
            if not writer.drain():
                try:
                    writer.rotate()
                    writer.finish_sealing()
                except (OSError, sqlite3.Error):
                    pass
    offer(50)
    hog = use_up(disk)
    offer(1000)
    refused = writer.refused
    assert set(refused) == {"disk"}, refused
    assert len(accepted) + refused["disk"] == 1050
    assert read_counters(writer.folder / "journal").refused == refused
    assert bodies(writer.folder) == accepted
    hog.unlink()
    assert writer.drain()
    offer(50)
    assert writer.refused == refused
    writer.close()
    assert writer.finish()
    assert bodies(writer.folder) == accepted
    say(len(accepted) > 150)
    """
    with small_disk("4m") as disk:
        assert succeed(PREFACE + textwrap.dedent(script), environ, disk) == "True\n"


def test_a_limit_on_the_size_of_files_is_a_full_disk(environ: dict[str, str], spool: Path) -> None:
    script = """
    spool = Path(sys.argv[1])
    layout.private_folder(spool)
    for mapped in (True, False):
        writer = SpoolWriter(spool, writer_info(), WriterOptions(quota_bytes=GIB, mapped=mapped))
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        accepted = []
        for _ in range(400):
            body = payload(len(accepted) + 1, 20_000)
            if writer.append(body) is not None:
                accepted.append(body)
            writer.drain()
        refused = writer.refused
        assert set(refused) == {"disk"} and len(accepted) + refused["disk"] == 400, refused
        assert writer.put_blob(bytes(300_000)) is None
        assert read_counters(writer.folder / "journal").refused == refused
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert writer.append(b"x") == len(accepted) + 1
        writer.close()
        assert writer.finish()
        assert bodies(writer.folder) == [*accepted, b"x"]
        say(len(accepted) > 0)
    """
    assert succeed(PREFACE + textwrap.dedent(script), environ, spool) == "True\nTrue\n"
