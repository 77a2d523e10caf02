"""Damaged, foreign and newer files in a spool: the daemon starts, delivers what is intact, and counts the rest."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from oracle import SEED
from processes import until
from stage import Stage

from livestream.testing import Ledger

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

KILLED_STEPS: Final = 300
ENDED_STEPS: Final = 200
Harm: TypeAlias = Callable[[bytes, random.Random], bytes]


def _flip(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(8):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


HARMS: Final[dict[str, Harm]] = {
    "truncated": lambda content, dice: content[: dice.randrange(len(content))],
    "flipped": _flip,
    "emptied": lambda _content, _dice: b"",
    "foreign": lambda _content, dice: b"%PDF-1.7 this is no file of ours " + dice.randbytes(20_000),
}

OF_THE_KILLED: Final = ("00000001.db", "00000001.db-wal", "00000001.db-shm", "journal", "writer.json", "blobs/*")
OF_THE_ENDED: Final = ("00000001.db", "00000001.sealed", "journal", "heartbeat", "writer.json", "blobs/*")
OF_THE_SPOOL: Final = ("daemon.db", "daemon.db-wal", "key", "daemon.json", "daemon.lock", "ballast", "experiments/*")


class Scene:
    """One recorded spool, of which every test gets a copy: a killed writer, an ended one, and a daemon's books."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.template = stage.spool
        stage.studio.stop()
        ended = stage.train("ended")
        ended.emit_many("ended", [step + 0.25 for step in range(ENDED_STEPS)])
        ended.emit(images={"e.png": {"noise": 90_000}}, step=ENDED_STEPS)
        ended.order("end")
        self.ended = stage.folders()[0].name
        until((stage.folders()[0] / "00000001.sealed").exists, "its segment is sealed")
        ended.leave()
        killed = stage.train("killed")
        killed.emit(images={"k.png": {"noise": 90_000}}, step=0)
        killed.emit_many("killed", [step + 0.5 for step in range(KILLED_STEPS)])
        self.killed = stage.folders()[1].name
        until(lambda: (stage.folders()[1] / "00000001.db-wal").stat().st_size > 20_000, "the segment holds events")
        killed.emit_many("killed", [float(step) for step in range(KILLED_STEPS, KILLED_STEPS + 20)], KILLED_STEPS)
        killed.kill()
        self._count_and_die()

    def _count_and_die(self) -> None:
        """Let a daemon take all events into its books, and none of them to the Studio that is down."""
        kept = self.template.with_name("kept")
        shutil.copytree(self.template, kept)
        daemon = self.stage.serve()
        until(lambda: self.stage.books().total.accepted == self.all_events, "the books know all events")
        daemon.kill()
        for name in (self.ended, self.killed):  # as their writers left them: the daemon has sealed the killed one's
            shutil.rmtree(self.template / name)
            shutil.copytree(kept / name, self.template / name)
        self.stage.studio.start()

    @property
    def all_events(self) -> int:
        return 3 + ENDED_STEPS + 2 + KILLED_STEPS + 20

    def copy(self, name: str) -> Path:
        """Give a test a spool of its own, and a Studio that knows nothing."""
        spool = self.template.with_name(name)
        shutil.copytree(self.template, spool)
        self.stage.spool = spool
        self.stage.studio.ledger = Ledger()
        return spool

    def rows(self, name: str) -> list[tuple[int, float]]:
        """Give what arrived of a training, repeats left out."""
        for key, experiment in self.stage.ledger.experiments.items():
            if key.name == name and any(path.endswith(f"/{name}.tsv") for path in experiment.counts):
                return list(dict.fromkeys(experiment.values(name)))
        return []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Stage(tmp_path_factory.mktemp("garbage"), "livestream") as stage:
        yield Scene(stage)


ENDED: Final = [(step, step + 0.25) for step in range(ENDED_STEPS)]
KILLED: Final = [(step, step + 0.5) for step in range(KILLED_STEPS)] + [
    (step, float(step)) for step in range(KILLED_STEPS, KILLED_STEPS + 20)
]


def _harm(folder: Path, pattern: str, harm: str) -> None:
    paths = sorted(folder.glob(pattern))
    assert paths, f"{pattern} is not there to be harmed"
    path = paths[0]
    dice = random.Random(f"{SEED} {pattern} {harm}")
    print(f"LIVESTREAM_CRASH_SEED={SEED}")
    content = path.read_bytes()
    path.write_bytes(HARMS[harm](content, dice) if content else (b"" if harm == "emptied" else b"\0" * 100))


def _deliver(scene: Scene) -> str:
    daemon = scene.stage.command("daemon", str(scene.stage.spool), "--once")
    assert daemon.wait(90.0) in (0, 4, 5), daemon.said()
    assert "Traceback" not in daemon.said(), daemon.said()
    return daemon.said()


def _check(scene: Scene) -> None:
    scene.stage.check()
    assert scene.stage.ledger.duplicates == 0
    assert set(scene.rows("ended")) <= set(ENDED), "rows that nobody issued"
    assert set(scene.rows("killed")) <= set(KILLED), "rows that nobody issued"


def test_the_scene_itself_is_whole(scene: Scene) -> None:
    scene.copy("whole")
    _deliver(scene)
    _check(scene)
    assert (scene.rows("ended"), scene.rows("killed")) == (ENDED, KILLED)
    assert scene.stage.await_empty(scene.all_events).total.dead == 0


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("pattern", OF_THE_KILLED)
def test_harm_to_a_dead_writers_file_costs_others_nothing_and_is_counted(scene: Scene, pattern: str, harm: str) -> None:
    spool = scene.copy(f"killed-{pattern.replace('/*', '')}-{harm}")
    _harm(spool / scene.killed, pattern, harm)
    _deliver(scene)
    _check(scene)
    assert scene.rows("ended") == ENDED
    books = scene.stage.books().writers[scene.killed]
    assert books.accepted == 2 + KILLED_STEPS + 20
    if pattern != "writer.json":  # whose it is cannot be told any more: it waits, untouched
        assert books.queued == 0
        assert len(scene.rows("killed")) + books.dead >= KILLED_STEPS + 20
    if pattern in ("00000001.db-shm", "blobs/*"):
        assert scene.rows("killed") == KILLED


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("pattern", OF_THE_ENDED)
def test_harm_to_a_sealed_writers_file_costs_others_nothing_and_is_counted(
    scene: Scene, pattern: str, harm: str
) -> None:
    spool = scene.copy(f"ended-{pattern.replace('/*', '')}-{harm}")
    _harm(spool / scene.ended, pattern, harm)
    _deliver(scene)
    _check(scene)
    assert scene.rows("killed") == KILLED
    books = scene.stage.books().writers[scene.ended]
    assert books.accepted == 3 + ENDED_STEPS
    if pattern == "writer.json":
        return
    assert books.queued == 0
    assert len(scene.rows("ended")) + books.dead >= ENDED_STEPS
    if not pattern.endswith(".db"):
        assert scene.rows("ended") == ENDED


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("pattern", OF_THE_SPOOL)
def test_harm_to_a_file_of_the_spool_itself_loses_no_event_and_new_ones_pass(
    scene: Scene, pattern: str, harm: str
) -> None:
    spool = scene.copy(f"spool-{pattern.replace('/*', '')}-{harm}")
    if pattern == "ballast" and not (spool / pattern).exists():
        (spool / pattern).write_bytes(b"\0" * 4096)
    _harm(spool, pattern, harm)
    fresh = scene.stage.train("fresh")
    fresh.emit({"fresh": 1.0})
    fresh.finish()
    _deliver(scene)
    _check(scene)
    assert (scene.rows("ended"), scene.rows("killed")) == (ENDED, KILLED)
    assert scene.rows("fresh") == [(0, 1.0)]
    assert scene.stage.books().total.queued == 0


def test_files_of_nobody_are_left_where_they_are(scene: Scene) -> None:
    spool = scene.copy("foreign-files")
    strangers = [spool / "notes.txt", spool / "w-not-a-writer" / "writer.json", spool / "w000000000000aaaaaaaaaa"]
    strangers[1].parent.mkdir()
    for path in strangers:
        path.write_bytes(b"somebody's")
    _deliver(scene)
    _check(scene)
    assert (scene.rows("ended"), scene.rows("killed")) == (ENDED, KILLED)
    assert [path.read_bytes() for path in strangers] == [b"somebody's"] * 3


def _prints(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def test_a_writer_of_a_newer_version_is_left_alone_and_said_so(scene: Scene) -> None:
    spool = scene.copy("newer-writer")
    info = spool / scene.killed / "writer.json"
    info.write_bytes(info.read_bytes().replace(b'"format":1', b'"format":2'))
    before = _prints(spool / scene.killed)
    said = _deliver(scene)
    assert "format 2" in said
    assert "upgrade" in said
    assert _prints(spool / scene.killed) == before
    assert scene.rows("ended") == ENDED
    _check(scene)


def test_a_segment_of_a_newer_version_is_left_alone_and_said_so(scene: Scene) -> None:
    spool = scene.copy("newer-segment")
    path = spool / scene.ended / "00000001.db"
    content = bytearray(path.read_bytes())
    content[60:64] = (2).to_bytes(4, "big")  # where SQLite keeps user_version
    path.write_bytes(content)
    daemon = scene.stage.command("daemon", str(spool))
    until(lambda: scene.rows("killed") == KILLED and "format 2" in daemon.said(), "the other arrives, and it is said")
    os.kill(daemon.pid, 15)
    daemon.wait()
    assert path.read_bytes() == bytes(content)
    assert scene.rows("ended") == []
    _check(scene)


def test_books_of_a_newer_version_are_left_alone_and_said_so(scene: Scene) -> None:
    spool = scene.copy("newer-books")
    with closing(sqlite3.connect(spool / "daemon.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    daemon = scene.stage.command("daemon", str(spool), "--once")
    assert daemon.wait() == 1
    assert "99" in daemon.said()
    assert "Traceback" not in daemon.said()
    with closing(sqlite3.connect(spool / "daemon.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)
        assert connection.execute("SELECT count(*) FROM writer").fetchone() == (2,)
    assert scene.stage.ledger.requests == ()
