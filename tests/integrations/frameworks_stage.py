"""A training of others' code, run twice in the same project: with DVCLive, and with livestream under its name."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from git_cases import IDENTITY
from training_cases import data, done, info

from livestream.spool import layout

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
TRAININGS: Final = HERE / "trainings"
BOUND_S: Final = 280.0

FRAMEWORKS_OWN: Final = {".git", ".dvc", "out", "runs", "data"}
"""Folders that DVCLive has no part in; what it takes of them is copied, or told of in .dvc files."""
Row: TypeAlias = tuple[str, str, int, str]
"""Folder, metric, step, value."""

BINARY: Final = {".ckpt", ".pt", ".pth", ".bin", ".safetensors"}
"""Checkpoints: they hold times, and paths of the project."""
OF_CONTENT: Final = re.compile(rb"^(?:- |  )(?:md5|size): .*\n", re.MULTILINE)
TIMINGS_OF_SUMMARY: Final = re.compile(rb'((?:runtime|_second|\(ms\))": )[-+.\de]+')
TIMINGS_OF_HISTORY: Final = re.compile(rb"\t[-+.\de]+$", re.MULTILINE)
IS_TIMING: Final = re.compile(r"(?:runtime|_per_second)\.tsv$")


def needs(*modules: str) -> None:
    """Skip where a framework is not installed; .ci/run takes that for a failure (tests/conftest.py)."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed; .ci/frameworks.txt says how all are")


class Trained:
    """What one of the two trainings left.

    Attributes:
        said: What it printed after ``=``.
        files: What is in the project by path, without what varies from run to run.
        experiments: The paths in each saved experiment.
    """

    def __init__(self, project: Path, home: Path, out: str) -> None:
        self.project = project
        self.spool = home / "spool"
        self.said = [line for line in out.splitlines() if line.startswith("= ")]
        self.files = {str(path.relative_to(project)): _content(path, project) for path in _files(project)}
        self.experiments = sorted(_experiments(project))

    def rows(self) -> set[Row]:
        """Read all histories that are in the project."""
        return {row for path in _files(self.project) if path.suffix == ".tsv" for row in _rows(path, self.project)}

    def failures(self) -> list[str]:
        """Give the kinds of exceptions that runs in the spool, all of which have ended, ended with."""
        return [problem.cls for queue in layout.writer_folders(self.spool) for problem in done(queue).errors]

    def sent(self) -> set[Row]:
        """Read all rows that are in the spool."""
        found: set[Row] = set()
        for queue in layout.writer_folders(self.spool):
            directory = info(queue).directory
            found.update(
                (directory, name, event.step, str(value))
                for event in data(queue)
                for name, value in event.metrics.items()
            )
        return found


def check_alike(real: Trained, ours: Trained) -> None:
    """Both printed the same, left the same files, saved the same experiments; and what ours left is in the spool."""
    assert ours.said == real.said
    assert sorted(ours.files) == sorted(real.files)
    different = {
        path: (content, ours.files[path]) for path, content in real.files.items() if ours.files[path] != content
    }
    assert different == {}
    assert ours.experiments == real.experiments
    assert ours.rows() <= ours.sent()
    assert set(ours.failures()) <= {"ValueError"}  # where the training itself saw one, and said so


class Stage:
    """Where trainings run."""

    def __init__(self, template: Path, folder: Path) -> None:
        self._template = template
        self._folder = folder

    def train(self, script: str, *, real_by: str | None = None) -> tuple[Trained, Trained]:
        """Run a script with both, at the same time.

        Args:
            script: In ``trainings``.
            real_by: The script in ``trainings`` that runs it with DVCLive, where that needs more than to be installed.

        Returns:
            What DVCLive left, and what livestream did.
        """
        path = str(TRAININGS / script)
        first = [] if real_by is None else [str(TRAININGS / real_by)]
        running = {
            "real": self._start("real", *first, path),
            "ours": self._start("ours", "-m", "livestream.as_dvclive", path),
        }
        try:
            real, ours = (self._end(name, process) for name, process in running.items())
        finally:
            for process in running.values():
                process.kill()
                process.communicate()
        return real, ours

    def train_with_ours(self, script: str) -> Trained:
        """Run a script with livestream alone."""
        process = self._start("ours", "-m", "livestream.as_dvclive", str(TRAININGS / script))
        try:
            return self._end("ours", process)
        finally:
            process.kill()
            process.communicate()

    def _start(self, name: str, *words: str) -> subprocess.Popen[str]:
        home, project = self._folder / f"{name}-home", self._folder / name
        home.mkdir()
        shutil.copytree(self._template, project)
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=project,
            env=environ(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _end(self, name: str, process: subprocess.Popen[str]) -> Trained:
        out, errors = process.communicate(timeout=BOUND_S)
        assert process.returncode == 0, (name, out[-2000:], errors[-4000:])
        return Trained(self._folder / name, self._folder / f"{name}-home", out)


def environ(home: Path) -> dict[str, str]:
    """Give a training's whole environment."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "LIVESTREAM_DAEMON": "off",
        "LIVESTREAM_SPOOL": str(home / "spool"),
        **IDENTITY,
    }


def new_template(folder: Path) -> Path:
    """Make a project: Git, DVC, one commit."""
    project, home = folder / "project", folder / "home"
    project.mkdir()
    home.mkdir()
    (project / ".gitignore").write_text("__pycache__\n")
    for command in (
        ["git", "init", "--quiet", "--initial-branch=main"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "-m", "begun"],
    ):
        subprocess.run(command, cwd=project, env=environ(home), check=True, capture_output=True)
    return project


def _files(project: Path) -> Iterator[Path]:
    for path in sorted(project.rglob("*")):
        if path.is_file() and path.relative_to(project).parts[0] not in FRAMEWORKS_OWN:
            yield path


def _content(path: Path, project: Path) -> bytes:
    """Give a file without what varies: checkpoints, what they weigh, the project's path, and how long things took."""
    if path.suffix in BINARY:
        return b"a checkpoint"
    content = path.read_bytes().replace(str(project).encode(), b"/project")
    if path.suffix == ".dvc":
        return OF_CONTENT.sub(b"", content)
    if path.name == "metrics.json":
        return TIMINGS_OF_SUMMARY.sub(rb"\g<1>0", content)
    return TIMINGS_OF_HISTORY.sub(b"", content) if IS_TIMING.search(path.name) else content


def _rows(path: Path, project: Path) -> Iterator[Row]:
    directory, _, name = str(path.relative_to(project).with_suffix("")).partition("/plots/metrics/")
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield directory, name, int(row["step"]), row[path.stem]


def _experiments(project: Path) -> Iterator[list[str]]:
    def git(*words: str) -> list[str]:
        return subprocess.run(
            ["git", *words], cwd=project, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    for reference in git("for-each-ref", "--format=%(refname)", "refs/exps"):
        if reference.count("/") == 4:  # refs/exps/ab/cdef.../name; others are DVC's own notes
            yield git("ls-tree", "-r", "--name-only", reference)
