from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from livestream.config import fingerprint
from livestream.daemon.beats import Beats
from livestream.daemon.bookkeeper import Bookkeeper
from livestream.daemon.entry import Entry
from livestream.daemon.lane import Lane
from livestream.daemon.shared import Shared
from livestream.daemon.vault import Vault
from livestream.events import Experiment
from livestream.sinks import StudioSink
from livestream.spool.launch import Handover
from livestream.spool.layout import WriterInfo
from livestream.spool.pool import ReaderPool
from livestream.spool.rows import ExperimentRow, WriterRow
from livestream.testing import DEFAULT_TOKEN, Answer, FakeStudio

KEY = b"k" * 32
PRINT = fingerprint(DEFAULT_TOKEN, KEY)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Crowd:
    """Writers of other hosts, which live as long as their heartbeat file is rewritten."""

    def __init__(self, shared: Shared, studio: FakeStudio, folder: Path, clock: Clock) -> None:
        self.shared = shared
        self.clock = clock
        self.studio = studio
        self.folder = folder
        self.lanes: list[Lane] = []
        self.beats = Beats(shared, lambda: self.lanes, orphan_after_s=300.0)

    def add(self, count: int, *, state: bytes = b'{"started": true}') -> None:
        place = len(self.lanes)
        experiment = Experiment(repo_url="r", baseline_sha="a" * 40, name=f"run{place}")
        lane = Lane(self.shared, _experiment_row(place, experiment, state))
        for number in range(count):
            uid = f"w{place}-{number:05d}"
            folder = self.folder / uid
            folder.mkdir()
            (folder / "heartbeat").write_bytes(b"1")
            info = WriterInfo(
                uid=uid,
                version="1",
                host="elsewhere",
                pid=1,
                boot_id="elsewhere",
                process_start=0.0,
                role="contributor",
                experiment=experiment,
                directory="dvclive",
                url=self.studio.url,
                token_fingerprint=PRINT,
            )
            lane.add(Entry(folder, info, _writer_row(uid, place), ReaderPool()))
        self.lanes.append(lane)

    async def look(self) -> None:
        """Have one look, and wait for what it sends."""
        await self.beats.look()
        for task in list(self.beats._telling):
            await task

    async def live(self, seconds: int) -> None:
        """Look once a second while the first writer's heart beats."""
        for _ in range(seconds):
            (self.folder / "w0-00000" / "heartbeat").write_text(str(self.clock.now))
            await self.look()
            self.clock.now += 1.0


def _experiment_row(number: int, experiment: Experiment, state: bytes) -> ExperimentRow:
    return ExperimentRow(
        id=number,
        experiment=experiment,
        state=state,
        step=None,
        started=bool(state),
        done=False,
        accepted_data=False,
        hold=None,
        hold_since=None,
        last_error=None,
        last_success=None,
    )


def _writer_row(uid: str, experiment: int) -> WriterRow:
    return WriterRow(
        uid=uid,
        experiment_id=experiment,
        role="contributor",
        cursor=0,
        emitted=0,
        delivered=0,
        dead=0,
        superseded=0,
        refused={},
        trimmed=0,
        finished=False,
        gone=False,
        updated=0.0,
        info=b"",
    )


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio("livestream", heartbeat_s=15.0) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def crowd(tmp_path: Path, studio: FakeStudio, clock: Clock) -> AsyncIterator[Crowd]:
    vault = Vault({"HOME": str(tmp_path)}, KEY)
    vault.accept(Handover(url=studio.url, token=DEFAULT_TOKEN, fingerprint=PRINT))
    async with StudioSink(environ={}) as sink:
        shared = Shared(tmp_path, Bookkeeper(tmp_path, shared=False), sink, vault)
        shared.clock = clock
        yield Crowd(shared, studio, tmp_path, clock)


def _sizes(studio: FakeStudio) -> list[int]:
    return [entry.size for entry in studio.ledger.others if entry.path == "/api/live/beats"]


async def test_a_studio_gets_one_request_and_more_only_beyond_a_thousand_writers(
    crowd: Crowd, studio: FakeStudio
) -> None:
    crowd.add(1)
    crowd.add(999)
    await crowd.look()
    assert len(_sizes(studio)) == 1
    assert len({beat.writer for beat in studio.ledger.beats}) == 1000
    assert {beat.experiment.name for beat in studio.ledger.beats} == {"run0", "run1"}

    crowd.add(1001)
    crowd.clock.now += 15.0
    await crowd.look()
    assert len(_sizes(studio)) == 4
    assert len(studio.ledger.beats) == 3001
    assert studio.ledger.violations == []


async def test_an_experiment_that_the_studio_has_not_begun_is_not_beaten_about(
    crowd: Crowd, studio: FakeStudio
) -> None:
    crowd.add(1, state=b"")
    crowd.add(1)
    await crowd.look()
    assert {beat.experiment.name for beat in studio.ledger.beats} == {"run1"}


async def test_a_writer_whose_heartbeat_file_stands_still_for_a_minute_is_not_beaten_about(
    crowd: Crowd, studio: FakeStudio, clock: Clock
) -> None:
    crowd.add(2)
    for _ in range(4):
        await crowd.look()
        clock.now += 15.0
    assert len(studio.ledger.beats) == 8
    (crowd.folder / "w0-00001" / "heartbeat").write_bytes(b"2")
    await crowd.look()
    assert len(studio.ledger.beats) == 9
    assert studio.ledger.beats[-1].writer == "w0-00001"


async def test_the_studio_says_how_often_and_between_beats_nothing_is_done(crowd: Crowd, studio: FakeStudio) -> None:
    assert studio.capabilities is not None
    studio.capabilities["heartbeat_s"] = 40.0
    crowd.add(1)
    await crowd.live(81)
    assert len(studio.ledger.beats) == 3


async def test_beats_begin_and_end_when_the_studios_wish_changes(crowd: Crowd, studio: FakeStudio) -> None:
    assert studio.capabilities is not None
    studio.capabilities["heartbeats"] = False
    crowd.add(1)
    await crowd.look()
    assert _sizes(studio) == []
    studio.capabilities["heartbeats"] = True
    await crowd.live(700)
    assert 5 <= len(studio.ledger.beats) <= 8
    studio.capabilities = None  # an older version is back
    heard = len(studio.ledger.beats)
    studio.ledger.violations.clear()
    await crowd.live(700)
    assert len(studio.ledger.beats) == heard
    assert len(studio.ledger.violations) == 1  # one was refused; the next asks first


async def test_a_refused_token_is_tried_again_after_ten_minutes_and_capabilities_that_cannot_be_had_hold_nothing(
    crowd: Crowd, studio: FakeStudio
) -> None:
    studio.script_capabilities(Answer.error(401), Answer.error(503))
    crowd.add(1)
    await crowd.live(599)
    assert len(studio.ledger.others) == 1
    await crowd.live(40)
    (health,) = crowd.shared.studios.values()
    assert health.is_well
    assert [entry.status for entry in studio.ledger.others][:3] == [401, 503, 200]
    assert len(studio.ledger.beats) >= 1
