"""SIGKILL, outages, a full disk and forks under ``Live``: folder and Studio hold every step that was done, once."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disk import fill, mounted
from live_oracle import METRICS, Lives
from oracle import ROUNDS, Dice
from processes import until
from stage import Profile, Stage

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

PROFILES: list[Profile] = ["stock", "livestream"]
SMALL_BYTES = 2 * 1024 * 1024


@pytest.fixture(params=[(number, PROFILES[number % 2]) for number in range(ROUNDS)], ids=lambda param: f"{param}")
def lives(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lives]:
    number, profile = request.param
    dice = Dice(request.node.originalname, number)
    with Stage(tmp_path, profile) as stage:
        yield Lives(stage, dice)


def _pause(dice: Dice, longest_s: float) -> None:
    time.sleep(dice.uniform(0, longest_s))  # a random instant is what is wanted here


@contextmanager
def _watched(path: Path) -> Iterator[None]:
    """Read a JSON file again and again, as an editor does; each time it must be whole."""
    over, torn = threading.Event(), []

    def watch() -> None:
        while not over.wait(0.001):
            try:
                json.loads(path.read_bytes())
            except FileNotFoundError:
                continue
            except ValueError as error:
                torn.append(error)

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
    assert torn == []


def test_a_training_that_is_killed_and_resumed_again_and_again_has_each_step_once(lives: Lives) -> None:
    lives.stage.serve()
    with _watched(lives.directory / "metrics.json"):
        for number in range(4):
            storm = lives.begin(resume=number > 0)
            lives.await_steps(lives.dice.choice([0, 0, 1, 5, 40]))
            _pause(lives.dice, 0.1)
            storm.kill()
            lives.check_folder()
        storm = lives.begin(resume=True)
        lives.await_steps(3)
        lives.end(storm)
    experiment = lives.judge()
    assert experiment.errors == []
    assert experiment.order.count("start") == 5


def test_images_of_each_step_that_was_done_are_at_the_studio_and_no_file_is_torn(lives: Lives) -> None:
    from PIL import Image  # noqa: PLC0415 - only tests with images pay for it

    lives.stage.serve()
    for number in range(2):
        storm = lives.begin(resume=number > 0, images=True)
        lives.await_steps(20)
        _pause(lives.dice, 0.1)
        storm.kill()
    storm = lives.begin(resume=True, images=True)
    lives.await_steps(3)
    lives.end(storm)
    experiment = lives.judge()
    attempts = lives.attempts()
    done = {step for attempt in attempts for step in attempt.done}
    sent = {record.step for records in experiment.images.values() for record in records}
    assert sent >= done
    files = list(lives.directory.rglob("*.png"))
    assert {f"{step}.png" for step in attempts[-1].done} <= {file.name for file in files}
    for file in files:
        with Image.open(file) as image:
            assert image.convert("RGB").getpixel((0, 0)) == (int(file.stem) % 256,) * 3


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("row", 1),
        ("row", 2),
        ("row", 7),
        *((place, call) for place in ("summary", "event", "recorded") for call in (1, 3)),
    ],
)
def test_a_death_at_any_point_of_a_step_leaves_what_a_resume_completes(
    place: str, call: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Stage(tmp_path) as stage:
        lives = Lives(stage, Dice(request.node.originalname, call))
        doomed = lives.begin(die_at=[place, call], pauses=0)
        assert doomed.wait() == -9, doomed.said()
        lives.check_folder()
        resumed = lives.begin(resume=True, die_at=[place, call], pauses=0)
        assert resumed.wait() == -9, resumed.said()
        last = lives.begin(resume=True, count=3)
        assert last.wait() == 0, last.said()
        assert len(lives.judge().values("loss")) == lives.attempts()[-1].first + 3


def test_a_step_in_whose_midst_a_training_left_is_logged_again_and_the_studio_shows_its_newest_row(
    lives: Lives,
) -> None:
    assert lives.begin(leave_at=4).wait() == 3
    assert lives.begin(resume=True, count=3).wait() == 0
    assert lives.stage.drain("--timeout", "60", bound_s=90.0) == 0
    experiment = lives.stage.experiment(lives.attempts()[0].name)
    for name in METRICS:
        rows = lives.history(name)
        assert [step for step, _ in rows] == sorted({step for step, _ in rows})
        assert len(rows) >= 7
        assert dict(experiment.values(name)) == dict(rows)
        assert len(experiment.values(name)) in {len(rows), len(rows) + 1}


def test_a_training_that_is_killed_for_good_is_shown_whole_and_as_failed(lives: Lives) -> None:
    lives.stage.serve()
    storm = lives.begin()
    lives.await_steps(lives.dice.choice([1, 30]))
    _pause(lives.dice, 0.1)
    storm.kill()
    lives.stage.await_done(lives.attempts()[0].name)
    lives.stage.end_daemon()
    experiment = lives.judge(ends=False)
    assert [error["cls"] for error in experiment.errors] == ["livestream.WriterDied"]


def test_training_and_daemon_die_together(lives: Lives) -> None:
    for number in range(3):
        storm, daemon = lives.begin(resume=number > 0), lives.stage.serve()
        lives.await_steps(5)
        _pause(lives.dice, 0.3)
        doomed = [storm, daemon]
        lives.dice.shuffle(doomed)
        for process in doomed:
            process.kill()
        lives.check_folder()
    storm = lives.begin(resume=True)
    lives.await_steps(3)
    lives.end(storm)
    lives.judge()


def test_a_server_that_is_down_at_the_start_gets_all_when_it_is_back(lives: Lives) -> None:
    lives.stage.studio.stop()
    lives.stage.serve()
    storm = lives.begin()
    lives.await_steps(30)
    if lives.dice.random() < 0.5:
        storm.kill()
        storm = lives.begin(resume=True)
        lives.await_steps(10)
    lives.stage.studio.start()
    lives.stage.await_ledger(lambda ledger: ledger.rows > 0)
    lives.await_steps(40)
    lives.end(storm)
    lives.stage.await_done(lives.attempts()[0].name)
    lives.stage.end_daemon()
    assert lives.judge().errors == []


@pytest.mark.parametrize("how", ["os._exit", "sys.exit", "logs"])
def test_a_process_that_forks_in_the_midst_of_a_step_has_no_row_twice(
    how: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Stage(tmp_path) as stage:
        stage.studio.check_order = False  # a worker may say something after the end
        lives = Lives(stage, Dice(request.node.originalname, 0))
        stage.serve()
        environ = stage.environ(PYTHONWARNINGS="ignore::DeprecationWarning")  # CPython 3.12 warns of every fork
        storm = lives.begin(count=60, forks=dict.fromkeys(map(str, (0, 1, 17, 18, 40)), how), environ=environ)
        assert storm.wait() == 0, storm.said()
        experiment = lives.judge()
        assert len(experiment.values("loss")) == 60
        assert stage.ledger.duplicates == 0
        if how == "logs":
            worker = {name for name in experiment.counts if "/worker/" in name}
            assert {name: experiment.count(name) for name in worker} == dict.fromkeys(worker, 1)
            assert len(worker) == 5


# -- a disk that is full


def _table(path: Path) -> list[tuple[int, float]]:
    """Read what is there of a history that lost rows: whole rows, in order."""
    content = path.read_text()
    assert content.endswith("\n")
    header, *rows = csv.reader(content.splitlines(), delimiter="\t")
    assert len(header) == 2
    assert all(len(row) == 2 for row in rows), "a row is torn"
    return [(int(step), float(value)) for step, value in rows]


def test_a_full_disk_below_the_folder_costs_the_stream_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with mounted(tmp_path / "disk", SMALL_BYTES) as small_disk, Stage(tmp_path) as stage:
        lives = Lives(stage, Dice(request.node.originalname, 0), small_disk / "results")
        stage.serve()
        storm = lives.begin()
        lives.await_steps(20)
        filler = fill(small_disk)
        begun = len(lives.attempts()[0].done)
        until(lambda: len(lives.attempts()[0].done) > begun + 2_000 or not storm.running, "it goes on", 90.0)
        assert storm.running, "the training goes on"
        filler.unlink()
        lives.await_steps(len(lives.attempts()[0].done) + 50)
        lives.end(storm)
        assert stage.drain("--timeout", "60", bound_s=90.0) == 0
        attempt = lives.attempts()[0]
        experiment = stage.experiment(attempt.name)
        for name in METRICS:
            assert experiment.values(name) == [(step, attempt.issued[step]) for step in attempt.done]
            rows = _table(lives.directory / "plots" / "metrics" / f"{name}.tsv")
            assert rows == [(step, attempt.issued[step]) for step, _ in rows]
            assert [step for step, _ in rows] == sorted({step for step, _ in rows})
            assert len(rows) < len(attempt.done), "the disk was full"
            assert rows[-1][0] == attempt.done[-1], "it writes again where there is room again"
        assert lives.summary()["step"] == attempt.done[-1]
        assert experiment.status == "done"
        assert experiment.errors == []
        stage.check()


def test_a_training_that_dies_while_the_disk_is_full_goes_on_after_what_its_folder_holds(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with mounted(tmp_path / "disk", SMALL_BYTES) as small_disk, Stage(tmp_path) as stage:
        lives = Lives(stage, Dice(request.node.originalname, 0), small_disk / "results")
        stage.serve()
        storm = lives.begin()
        lives.await_steps(20)
        filler = fill(small_disk)
        begun = len(lives.attempts()[0].done)
        until(lambda: len(lives.attempts()[0].done) > begun + 1_000 or not storm.running, "it goes on", 90.0)
        storm.kill()
        filler.unlink()
        held = lives.summary()["step"]
        resumed = lives.begin(resume=True, count=50)
        assert resumed.wait() == 0, resumed.said()
        assert stage.drain("--timeout", "60", bound_s=90.0) == 0
        first, second = lives.attempts()
        assert second.name == first.name
        assert begun - 1 <= held < first.done[-1]
        assert second.first == held + 1
        experiment = stage.experiment(first.name)
        for name in METRICS:
            assert dict(experiment.values(name)) == first.issued | second.issued
            steps = [step for step, _ in _table(lives.directory / "plots" / "metrics" / f"{name}.tsv")]
            assert steps == sorted(set(steps))
            assert steps[-50:] == second.done
        assert lives.summary()["step"] == second.done[-1]
        stage.check()
