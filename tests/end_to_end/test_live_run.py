"""A long run of ``Live``, its daemon and a real Studio: folder, summary and the Studio's rows say the same."""

from __future__ import annotations

import csv
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from stage import Stage
from studio_stage import RunningStudio

STEPS = 100_000
BOUND_S = 240.0  # what only a failure waits for

TRAINING = """
import sys
from livestream import Live
directory, steps = sys.argv[1], int(sys.argv[2])
with Live(directory, save_dvc_exp=False, exp_name="run") as live:
    live.log_params({"lr": 0.1})
    for step in range(steps):
        live.log_metric("train/loss", 1 / (1 + step))
        if step % 10 == 0:
            live.log_metric("val/acc", step / 3)
        live.next_step()
"""


def _ask(studio: RunningStudio, path: str) -> Any:
    request = urllib.request.Request(studio.url + path, headers={"Authorization": f"token {studio.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def _await_done(studio: RunningStudio) -> dict[str, Any]:
    deadline, experiments = time.monotonic() + BOUND_S, []
    while time.monotonic() < deadline:
        experiments = json.loads(_ask(studio, "/api/experiments"))["experiments"]
        if experiments and experiments[0]["status"]["kind"] == "completed":
            (found,) = experiments
            return dict(found)
        time.sleep(0.1)
    raise AssertionError(f"not within {BOUND_S:g} s: completed; {experiments}")


@pytest.mark.timeout(300)
def test_a_run_of_100_000_steps_is_the_same_in_its_files_and_in_the_studio(tmp_path: Path) -> None:
    (tmp_path / "studio").mkdir()
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home" / ".config")}
    with Stage(tmp_path) as stage, RunningStudio(tmp_path / "studio" / "data", home) as studio:
        environ = stage.environ(DVC_STUDIO_URL=studio.url, DVC_STUDIO_TOKEN=studio.first_token)
        stage.serve(environ=environ)
        directory = stage.home / "dvclive"
        training = stage.script(TRAINING, "dvclive", STEPS, environ=environ)
        assert training.wait(BOUND_S) == 0, training.said()
        shown = _await_done(studio)
        stored = _ask(studio, f"/api/experiments/{shown['id']}/export?rows=all").splitlines()

    summary = json.loads((directory / "metrics.json").read_text())
    assert summary == {"train": {"loss": 1 / STEPS}, "val": {"acc": (STEPS - 10) / 3}, "step": STEPS - 1}
    assert shown["step"] == STEPS - 1
    assert shown["metrics"]["dvclive/metrics.json"] == summary
    tables = {name: _table(directory / f"plots/metrics/{name}.tsv") for name in ("train/loss", "val/acc")}
    assert tables["train/loss"] == [(step, 1 / (1 + step)) for step in range(STEPS)]
    assert tables["val/acc"] == [(step, step / 3) for step in range(0, STEPS, 10)]
    rows: dict[str, list[tuple[int, float]]] = {}
    for row in csv.DictReader(stored):
        rows.setdefault(row["path"], []).append((int(row["step"]), float(row["value"])))
    assert rows == {f"dvclive/plots/metrics/{name}.tsv": table for name, table in tables.items()}


def _table(path: Path) -> list[tuple[int, float]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == ["step", path.stem]
    return [(int(step), float(value)) for step, value in rows]
