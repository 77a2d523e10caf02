from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dvclive import vscode as theirs

from livestream.live.vscode import Signals


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project, which is where this process works."""
    (tmp_path / "project" / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def signals(project: Path) -> Iterator[Signals]:
    signals = Signals(str(project))
    yield signals
    signals.ended()


def files(project: Path) -> dict[str, bytes]:
    return {str(path.relative_to(project)): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def completed(project: Path) -> Path:
    return project / ".dvc" / "tmp" / "exps" / "run" / "DVCLIVE_STEP_COMPLETED"


def test_the_files_are_dvclives_from_the_beginning_to_the_end(signals: Signals, project: Path) -> None:
    ours, wanted = [], []
    signals.started("été-run")
    for step in (0, 1, 9, 10, 3):
        signals.step(step)
        ours.append(files(project))
    for path in completed(project).parent.iterdir():
        path.unlink()
    theirs.mark_dvclive_only_started("été-run")
    for step in (0, 1, 9, 10, 3):
        theirs.mark_dvclive_step_completed(step)
        wanted.append(files(project))
    assert ours == wanted
    assert len(ours[-1]) == 2


def test_both_files_go_at_the_end(signals: Signals, project: Path) -> None:
    signals.started("run")
    signals.step(0)
    signals.saved()
    assert [Path(name).name for name in files(project)] == ["DVCLIVE_STEP_COMPLETED"]
    signals.ended()
    assert files(project) == {}
    signals.saved()
    signals.ended()
    signals.step(1)
    assert len(files(project)) == 1


def test_a_step_costs_two_system_calls_and_no_sync(
    signals: Signals, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals.step(0)
    calls: list[str] = []

    def count(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any) -> Any:
            calls.append(name)
            return real(*args)

        monkeypatch.setattr(os, name, call)

    for name in ("open", "fstat", "stat", "write", "pwrite", "fsync", "rename", "close"):
        count(name)
    for step in range(1, 12):
        signals.step(step)
    monkeypatch.undo()
    assert calls == ["fstat", "pwrite"] * 11
    assert json.loads(completed(project).read_text()) == {"pid": os.getpid(), "step": 11}


def test_a_file_that_another_run_removed_or_wrote_is_ours_again_with_the_next_step(
    signals: Signals, project: Path
) -> None:
    path = completed(project)
    signals.step(0)
    for step, left in enumerate((None, "{" + " " * 99 + "}", "{}"), 1):
        path.unlink()
        if left is not None:
            path.write_text(left)
        signals.step(step)
        path.write_text(left or "")
        signals.step(step)
        assert path.read_bytes() == f'{{"pid": {os.getpid()}, "step": {step}}}'.encode()


def test_steps_of_a_queued_run_are_signalled_in_the_workspace(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "workspace"
    (workspace / ".dvc").mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(workspace))
    signals = Signals(str(project))
    signals.step(4)
    ours = files(workspace)
    assert files(project) == {}
    theirs.mark_dvclive_step_completed(4)
    assert files(workspace) == ours
    signals.started("run")
    assert [Path(name).name for name in files(project)] == ["DVCLIVE_ONLY"]
    signals.ended()
    assert files(workspace) == {}


def test_where_there_is_no_dvc_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    signals = Signals(None)
    signals.started("run")
    signals.step(1)
    signals.saved()
    signals.ended()
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_cannot_be_written_is_said_once(
    signals: Signals, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (project / ".dvc" / "tmp").write_text("")
    signals.started("run")
    for step in range(3):
        signals.step(step)
    signals.saved()
    assert [record.getMessage() for record in caplog.records] == ["livestream.live_file_not_written"] * 2
    assert {record.levelno for record in caplog.records} == {logging.ERROR, logging.WARNING}


class Bad:
    """Something of the user's that is no number, and says so in its own way."""

    def __int__(self) -> int:
        raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")


@pytest.mark.parametrize("step", [np.int64(3), np.uint8(3), np.float32(3), True + 2])
def test_a_step_that_the_user_set_is_written_as_the_number_it_is(step: Any, signals: Signals, project: Path) -> None:
    signals.step(step)
    assert json.loads(completed(project).read_bytes()) == {"pid": os.getpid(), "step": 3}


@pytest.mark.parametrize("step", [None, "third", float("nan"), float("inf"), [3], np.array([1, 2]), Bad()])
def test_a_step_that_is_no_number_writes_nothing(step: Any, signals: Signals, project: Path) -> None:
    signals.step(step)
    assert not completed(project).exists()
    signals.step(2)
    before = completed(project).read_bytes()
    signals.step(step)
    assert completed(project).read_bytes() == before


def test_a_run_that_nobody_ended_keeps_no_descriptor(project: Path) -> None:
    for _ in range(2):
        signals = Signals(str(project))
        for step in range(2):
            signals.step(step)
        assert held(project) == 1
        del signals
        assert held(project) == 0


def held(project: Path) -> int:
    """How many files below a folder this process holds open."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed them
            count += os.readlink(f"/proc/self/fd/{name}").startswith(f"{project}/")
    return count
