from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from clients_cases import Project, Reads, check_folder, new_project, new_template, until
from git_cases import Repository
from studio_stage import ROOT, RunningStudio

pytest.importorskip("dvclive", reason="DVCLive is not installed")

TRAIN: Final = """
import sys
import numpy as np
import ruamel.yaml
from dvclive import Live

with open("params.yaml") as file:
    params = ruamel.yaml.YAML(typ="safe").load(file)
with Live() as live:
    live.log_params({"seen": params})
    for step in range(params["epochs"]):
        live.log_metric("train/loss", params["lr"] / (step + 1))
        live.log_image(f"seen/{step}.png", np.full((4, 4, 3), step, dtype=np.uint8))
        live.next_step()
    if params["lr"] > 1000:
        sys.exit("it diverged early")
with open("scores.json", "w") as file:
    file.write('{"auc": {"test": 0.75}}')
if params["lr"] > 100:
    sys.exit("it diverged")
"""
STAGES: Final = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [lr, epochs, {extra.yaml: null}]
    outs: [{model.bin: {cache: false}}]
    metrics: [{scores.json: {cache: false}}]
"""


def new_pipeline(template: Path, home: Path) -> Project:
    origin = Repository(home / "origin.git", bare=True)
    project = new_project(template, home, f"file://{origin.folder}")
    (project.folder / "train.py").write_text(TRAIN + "open('model.bin', 'w').close()\n")
    (project.folder / "dvc.yaml").write_text(STAGES)
    (project.folder / "params.yaml").write_text("lr: 0.5\nepochs: 4\n")
    (project.folder / "extra.yaml").write_text("deep: {er: [1, two, null]}\n")
    project.commit("a pipeline")
    project.git("push", "--quiet", "--set-upstream", "origin", "main")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    home = tmp_path_factory.mktemp("pipeline")
    return new_pipeline(new_template(home), home)


@pytest.fixture(scope="module")
def studio(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    data = tmp_path_factory.mktemp("studio") / "data"
    with RunningStudio(data, None, "--repo", project.remote) as running:
        project.use(running.url, running.first_token)
        yield running
        assert "Traceback" not in running.stop()


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Give a folder for sockets, whose paths have to be short."""
    with TemporaryDirectory(prefix="ls-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def reads(studio: RunningStudio) -> Reads:
    return Reads(studio)


def commits_of(reads: Reads) -> list[Any]:
    """Give the commits of the only branch of the only project."""
    (found,) = reads.get("/api/projects")["projects"]
    (branch,) = reads.get(f"/api/projects/{found['id']}/commits")["branches"]
    commits: list[Any] = branch["commits"]
    return commits


def test_an_experiment_of_a_pipeline_is_shown_as_dvc_and_dvclive_wrote_it_then_pushed(
    project: Project, reads: Reads
) -> None:
    project.dvc("exp", "run", "--name", "bold-name", "--message", "a try", "--set-param", "lr=0.25")

    shown = reads.experiment("bold-name")
    check_folder(reads, shown, project)
    assert shown["status"]["kind"] == "completed"
    assert (shown["message"], sorted(shown["clients"]), shown["session"]) == ("a try", ["dvc", "dvclive"], 1)
    assert shown["params"] == {
        "params.yaml": {"lr": 0.25, "epochs": 4},
        "extra.yaml": {"deep": {"er": [1, "two", None]}},
        "dvclive/params.yaml": {"seen": {"lr": 0.25, "epochs": 4}},
    }
    assert shown["metrics"]["scores.json"] == json.loads((project.folder / "scores.json").read_bytes())
    head = project.git("rev-parse", "HEAD")
    reference = f"refs/exps/{head[:2]}/{head[2:]}/bold-name"
    assert shown["experiment_rev"] == project.git("rev-parse", reference)
    assert shown["references"] == []
    commit = reads.await_experiment("bold-name", lambda it: it["commit"], "its commit is known")["commit"]
    assert (commit["sha"], commit["message"], commit["author"]) == (head, "a pipeline", "Ada")
    assert commit["branches"] == ["main"]

    said = project.dvc("exp", "push", "origin", "bold-name")

    assert f"{reads.studio.url}/projects/" in said
    pushed = reads.await_experiment("bold-name", lambda it: it["references"], "it was pushed")
    assert pushed["references"] == [reference]
    assert reads.log(shown["id"]) == ["started", "done", "pushed"]

    def is_found() -> bool:
        (experiment,) = commits_of(reads)[0]["experiments"]
        return bool(experiment["pushed"] and experiment["id"] == shown["id"])

    until(is_found, "it is found in Git")
    check_folder(reads, pushed, project)


@pytest.mark.parametrize(("learning_rate", "ends"), [(101, True), (1001, False)], ids=["late", "early"])
def test_a_pipeline_that_fails_keeps_what_it_told(
    project: Project, reads: Reads, learning_rate: int, *, ends: bool
) -> None:
    name = f"too-bold-{learning_rate}"
    said = project.dvc("exp", "run", "--name", name, "--set-param", f"lr={learning_rate}", fails=True)
    assert "it diverged" in said

    shown = reads.experiment(name)
    check_folder(reads, shown, project)
    # DVC tells of no failure, and where a metrics file is missing it does not even tell of the end.
    assert shown["status"]["kind"] == ("completed" if ends else "running")
    assert (shown["step"], shown["experiment_rev"]) == (3, None)
    assert shown["params"]["params.yaml"]["lr"] == learning_rate


def test_an_experiment_that_runs_in_a_folder_of_its_own_is_the_same_to_the_studio(
    project: Project, reads: Reads
) -> None:
    project.dvc("exp", "run", "--temp", "--name", "apart", "--set-param", "lr=0.5", "--set-param", "epochs=2")

    shown = reads.experiment("apart")
    assert shown["status"]["kind"] == "completed"
    assert shown["repo_url"] == project.remote
    assert shown["params"]["params.yaml"] == {"lr": 0.5, "epochs": 2}
    assert list(reads.rows(shown["id"]).values()) == [[(0, 0.5, None), (1, 0.25, None)]]
    assert [image["step"] for image in reads.images(shown["id"])] == [0, 1]
    assert shown["metrics"]["scores.json"] == {"auc": {"test": 0.75}}


OURS: Final = """
import livestream
import ruamel.yaml

with open("params.yaml") as file:
    rate = ruamel.yaml.YAML(typ="safe").load(file)["lr"]
with livestream.init() as run:
    for step in range(5):
        run.emit({"train/loss": rate / (step + 1)}, params={"seen": rate})
    with open("scores.json", "w") as file:
        file.write('{"auc": 0.75}')
    if rate > 100:
        raise ArithmeticError("it diverged")
"""
OUR_STAGE: Final = """
stages:
  train:
    cmd: python train.py
    params: [lr]
    metrics: [{scores.json: {cache: false}}]
"""


@pytest.mark.parametrize("rate", [0.25, 101], ids=["well", "badly"])
def test_a_training_that_uses_livestream_inside_a_pipeline_is_one_experiment_with_it_and_ends_as_it_ended(
    tmp_path: Path, runtime: Path, studio: RunningStudio, reads: Reads, rate: float
) -> None:
    project = new_project(new_template(tmp_path), tmp_path / "home", f"git@github.com:octo/rate-{rate}.git")
    project.use(studio.url, studio.first_token)
    for name, content in {"train.py": OURS, "dvc.yaml": OUR_STAGE, "params.yaml": "lr: 1\n"}.items():
        (project.folder / name).write_text(content)
    project.commit("a pipeline")
    spool = tmp_path / "spool"
    environ = project.environ(
        PYTHONPATH=str(ROOT), LIVESTREAM_SPOOL=str(spool), LIVESTREAM_DAEMON="off", XDG_RUNTIME_DIR=str(runtime)
    )
    project.dvc("exp", "run", "--name", "ours", "--set-param", f"lr={rate}", environ=environ, fails=rate > 100)
    (before,) = reads.experiments(q=f"rate-{rate}")
    assert before["status"]["kind"] == "completed"  # DVC tells of no failure

    project.run("-m", "livestream", "sync", str(spool), environ=environ)

    (shown,) = reads.experiments(q=f"rate-{rate}")
    assert (shown["id"], shown["name"], sorted(shown["clients"])) == (before["id"], "ours", ["dvc", "dvclive"])
    errors = [] if rate < 100 else [{"cls": "ArithmeticError", "text": "it diverged"}]
    assert (shown["status"]["kind"], shown["errors"]) == ("failed" if errors else "completed", errors)
    assert shown["experiment_rev"] == before["experiment_rev"]
    assert shown["params"] == {"params.yaml": {"lr": rate}, "dvclive/params.yaml": {"seen": rate}}
    assert shown["metrics"]["scores.json"] == {"auc": 0.75}
    rows = [(step, rate / (step + 1), None) for step in range(5)]
    assert reads.rows(shown["id"]) == {("dvclive/plots/metrics/train/loss.tsv", "loss"): rows}
