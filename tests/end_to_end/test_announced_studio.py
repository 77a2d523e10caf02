"""Nothing to configure on one machine: a Studio that announces itself gets the trainings that name no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage

from livestream.testing import FakeStudio

TRAINING = """
import livestream
run = livestream.init("run")
run.emit({"loss": 1.0})
run.end()
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, "livestream") as stage:
        yield stage


def _unconfigured(stage: Stage, **more: str) -> dict[str, str]:
    """Give a terminal in which nobody has set anything."""
    spoken = ("DVC_STUDIO_URL", "DVC_STUDIO_TOKEN", "DVC_STUDIO_REPO_URL", "DVC_EXP_BASELINE_REV", "LIVESTREAM_DAEMON")
    return stage.environ(**dict.fromkeys(spoken)) | more


def _announce(stage: Stage, studio: FakeStudio, mode: int = 0o600) -> None:
    """Leave what a running `livestream studio` leaves."""
    folder = stage.home / ".config" / "livestream"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "studio.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"url": studio.url, "token": min(studio.tokens)}))
    file.chmod(mode)


def _training(stage: Stage, **more: str) -> None:
    script = stage.script(TRAINING, environ=_unconfigured(stage, **more))
    assert script.wait() == 0, script.said()


def test_two_terminals_and_no_variable_a_training_streams_to_the_studio_that_announced_itself(stage: Stage) -> None:
    _announce(stage, stage.studio)
    _training(stage)
    assert stage.await_done().values("loss") == [(0, 1.0)]
    (key,) = stage.ledger.experiments
    assert key.repo_url.startswith("local://")
    stage.await_empty(3)


def test_a_studio_that_is_announced_after_the_training_began_gets_all_of_it(stage: Stage) -> None:
    environ = _unconfigured(stage)
    training = stage.train(environ=environ)
    training.emit({"loss": 1.0})
    assert "start `livestream studio`" in stage.await_held()
    assert stage.ledger.others == ()
    _announce(stage, stage.studio)
    stage.await_ledger(lambda ledger: ledger.rows == 1, bound_s=15.0)
    training.emit({"loss": 2.0})
    training.finish()
    assert stage.await_done().values("loss") == [(0, 1.0), (1, 2.0)]
    stage.await_empty(4)


def test_a_studio_that_moved_to_another_port_is_found_again(stage: Stage) -> None:
    other = stage.another_studio("livestream", "isat_other")
    _announce(stage, stage.studio)
    training = stage.train(environ=_unconfigured(stage))
    training.emit({"loss": 1.0})
    stage.await_ledger(lambda ledger: ledger.rows == 1)
    stage.studio.stop()
    other.check_order = False  # what the other one took is not taken again
    _announce(stage, other)
    training.emit({"loss": 2.0})
    other.ledger.wait_for(lambda ledger: ledger.rows == 1, 30.0)
    training.finish()
    stage.await_empty(4)


def test_the_environment_and_the_dvc_config_win_over_the_studio_that_announced_itself(stage: Stage) -> None:
    local, corporate = stage.studio, stage.another_studio("livestream", "isat_corporate")
    _announce(stage, local)
    _training(stage, DVC_STUDIO_URL=corporate.url, DVC_STUDIO_TOKEN="isat_corporate")
    corporate.ledger.wait_for(lambda ledger: any(it.status == "done" for it in ledger.experiments.values()), 30.0)
    (stage.home / ".dvc").mkdir()
    config = stage.home / ".dvc" / "config"
    config.write_text(f"[studio]\n    url = {corporate.url}\n    token = isat_corporate\n")
    _training(stage, DVC_EXP_NAME="second")
    stage.await_empty(6)
    config.write_text(f"[studio]\n    url = {corporate.url}\n")
    training = stage.train("third", environ=_unconfigured(stage))
    assert corporate.url in stage.await_held("third")
    training.finish()
    assert local.ledger.requests == local.ledger.others == ()


def test_an_announcement_that_others_could_have_written_or_read_is_not_used(stage: Stage) -> None:
    _announce(stage, stage.studio, mode=0o644)
    training = stage.train(environ=_unconfigured(stage))
    training.emit({"loss": 1.0})
    assert "chmod 600" in stage.await_held()
    assert stage.ledger.requests == stage.ledger.others == ()
    _announce(stage, stage.studio)
    training.finish()
    stage.await_done()
