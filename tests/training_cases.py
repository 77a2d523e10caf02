"""What the tests of the training side share: scripts as processes of their own, a spool read without our readers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from livestream.events import Data, Done, Event, Experiment, Spilled, Start, decode
from livestream.spool import layout
from livestream.spool.blobs import read_blob
from livestream.spool.journal import read_frames

EXPERIMENT = Experiment(repo_url="git@host:a/b.git", baseline_sha="a" * 40, name="tested")


def start(source: str, environ: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    """Run a script in a process (and group) of its own; ``say(x)`` in it prints and is read line by line here."""
    preface = "import os, sys\ndef say(*what):\n    print(*what, flush=True)\n"
    return subprocess.Popen(
        [sys.executable, "-c", preface + textwrap.dedent(source), *map(str, arguments)],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=environ["HOME"],
        process_group=0,
    )


def run(source: str, environ: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    process = start(source, environ, *arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def succeed(source: str, environ: dict[str, str], *arguments: object) -> str:
    """Run a script that has to end well, with nothing on its stderr; give what it printed."""
    done = run(source, environ, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line of a script that was started."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def rest(process: subprocess.Popen[str]) -> str:
    """Read all that a script still prints, after ``line``, until it ends."""
    assert process.stdout is not None
    out = process.stdout.read()
    process.communicate(timeout=60)
    return out


def eventually(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def writer_info(**changes: object) -> layout.WriterInfo:
    """What a writer of a test says of itself."""
    whole = layout.WriterInfo(
        uid=layout.new_uid(),
        version="0.1.0",
        host="host",
        pid=os.getpid(),
        boot_id=layout.boot_id(),
        process_start=0.0,
        role="primary",
        experiment=EXPERIMENT,
        directory="dvclive",
    )
    return msgspec.structs.replace(whole, **changes)


def payload(number: int, size: int = 30) -> bytes:
    """An event of a size that tells its number."""
    return b'{"type":"data","n":%d}'.ljust(size) % number


def only_queue(spool: Path) -> Path:
    """The folder of a spool's only writer."""
    (folder,) = layout.writer_folders(spool)
    return folder


def info(folder: Path) -> layout.WriterInfo:
    found = layout.read_writer_info(folder)
    assert found is not None
    return found


def queue_of(spool: Path, role: layout.Role) -> Path:
    """The folder of a spool's only writer with a role; a folder without ``writer.json`` is a writer not born yet."""
    born = [(folder, layout.read_writer_info(folder)) for folder in layout.writer_folders(spool)]
    (folder,) = [folder for folder, found in born if found is not None and found.role == role]
    return folder


def opened(segment: Path) -> closing[sqlite3.Connection]:
    """Open a segment for reading; what is sealed is not touched."""
    mode = "immutable=1" if layout.sealed_path(segment).exists() else "mode=ro"
    return closing(sqlite3.connect(f"file:{segment}?{mode}", uri=True))


def rows(segment: Path) -> list[tuple[int, int, bytes]]:
    with opened(segment) as connection:
        return connection.execute("SELECT seq, crc, body FROM event ORDER BY seq").fetchall()


def seal(segment: Path) -> tuple[int, int, int, int] | None:
    with opened(segment) as connection:
        found: tuple[int, int, int, int] | None = connection.execute(
            "SELECT first_seq, last_seq, count, digest FROM seal"
        ).fetchone()
        return found


def bodies(folder: Path) -> list[bytes]:
    """All that a queue holds, in its segments and then its journal, checked: gapless from 1, and every byte as stored.

    A segment of a shared spool is readable only once its writer is gone or has sealed it.
    """
    stored: list[bytes] = []
    for number in layout.segment_numbers(folder):
        for seq, crc, body in rows(layout.segment_path(folder, number)):
            assert seq == len(stored) + 1
            assert crc32(body, seq) == crc
            stored.append(body)
    for frame in read_frames(folder / layout.JOURNAL_FILE, len(stored)):
        assert frame.seq == len(stored) + 1
        stored.append(frame.payload)
    return stored


def events(folder: Path) -> list[Event]:
    """The queue's events, with what was spilled into blobs."""
    found: list[Event] = []
    for body in bodies(folder):
        event = decode(body)
        if isinstance(event, Spilled):
            content = read_blob(folder, event.blob)
            assert len(content) == event.size
            event = decode(content)
        assert isinstance(event, Start | Data | Done)
        found.append(event)
    return found


def data(folder: Path) -> list[Data]:
    return [event for event in events(folder) if isinstance(event, Data)]


def steps(folder: Path) -> list[int]:
    return [event.step for event in data(folder)]


def done(folder: Path) -> Done:
    last = events(folder)[-1]
    assert isinstance(last, Done)
    return last


def use_up(disk: Path) -> Path:
    """Take all the space that is left; the file that holds it may be truncated again."""
    hog = disk / "hog"
    with hog.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"h" * 4096):
            pass
    return hog


@contextmanager
def small_disk(size: str, options: str = "") -> Iterator[Path]:
    """A tmpfs of its own; where it cannot be had the test is skipped, but not under LIVESTREAM_CI=1."""
    with tempfile.TemporaryDirectory(prefix="livestream-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"mode=0700,size={size}{options}", "tmpfs", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            reason = f"no tmpfs can be mounted here: {mounted.stderr.strip()}"
            if os.environ.get("LIVESTREAM_CI") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
