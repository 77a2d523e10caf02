"""Where programs run: equal fresh folders, once with the real dvclive, once with ours.

World ── zygote.py (one process, forks each program)
  └──── <root>/cases/<n>/{dvclive,livestream}/work     a copy of a place, whose path is masked
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from outcome import Masks, Outcome, answers_of, exception_of, files_of, names_beside, warning_of
from program import Program, Side

ROOT: Final = Path(__file__).resolve().parents[2]
SIDES: Final[tuple[Side, Side]] = ("dvclive", "livestream")
_ITSELF: Final = (
    os.environ.get("LIVESTREAM_PARITY_ITSELF") == "1"
)  # the real dvclive on both sides: what must be masked
_GIT_OF_NOBODY: Final = {"GIT_CONFIG_NOSYSTEM": "1"}  # and a home without .gitconfig: nothing of who runs the tests
_GIT_TIME: Final = "2026-01-01T00:00:00+0000"  # so that equal places have equal commits

QUESTIONS: Final = {
    "experiments": [["exp", "show", "--json"], ["exp", "list", "--name-only"]],
    "metrics": [["metrics", "diff", "--json"], ["metrics", "show", "--json"]],
    "params": [["params", "diff", "--json"]],
    "plots": [["plots", "diff", "--json"]],
    "status": [["status", "--json"], ["data", "status", "--json"]],
}


def _plain(place: Path, _: World) -> None:
    place.mkdir(parents=True)


def _git(place: Path, world: World) -> None:
    _plain(place, world)
    world.git(place, "init", "--quiet", "--template=", "--initial-branch=main")
    world.git(place, "config", "user.name", "Parity")
    world.git(place, "config", "user.email", "parity@example.com")
    (place / ".gitignore").write_text("*.log\n")
    world.commit(place)


def _unborn(place: Path, world: World) -> None:
    _plain(place, world)
    world.git(place, "init", "--quiet", "--template=", "--initial-branch=main")


def _project(place: Path, world: World) -> None:
    _git(place, world)
    world.dvc(place, ["init", "--quiet"])
    world.commit(place)


def _dvc_alone(place: Path, world: World) -> None:
    _plain(place, world)
    world.dvc(place, ["init", "--quiet", "--no-scm"])


def _monorepo(place: Path, world: World) -> None:
    _git(place, world)
    (place / "vision").mkdir()
    (place / "speech").mkdir()
    world.dvc(place / "vision", ["init", "--quiet", "--subdir"])
    world.commit(place)


def _nobody(place: Path, world: World) -> None:
    _project(place, world)
    world.git(place, "config", "--remove-section", "user")


PLACES: Final[dict[str, Callable[[Path, World], None]]] = {
    "project": _project,
    "git": _git,
    "unborn": _unborn,
    "dvc alone": _dvc_alone,
    "plain": _plain,
    "monorepo": _monorepo,
    "nobody's project": _nobody,
}


class World:
    """The process that runs programs, and the places that are made once and copied."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._cases = 0
        self._home = _make_home(root / "home")
        self._tools = {side: self._make_tools(side) for side in SIDES}
        self._zygote = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/parity/zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env=os.environ | _GIT_OF_NOBODY | _at_home(self._home) | {"PYTHONPATH": str(ROOT)},
        )
        self._is_ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._zygote.communicate(timeout=30)

    # -- what tests ask for

    def run(self, program: Program, environ: Mapping[Side, dict[str, str]] | None = None) -> dict[Side, Outcome]:
        """Run a program on both sides, beside each other.

        Args:
            program: The program.
            environ: More variables of each side.
        """
        cases = {side: self._prepare(program, side) for side in SIDES}
        begun = time.time()
        exits: dict[Side, list[int | None]] = {side: [] for side in SIDES}
        for start in range(1, program.times + 1):
            more = {side: {"PARITY_TIME": str(start)} | (environ or {}).get(side, {}) for side in SIDES}
            jobs = [self._job(program, side, cases[side], more[side] | program.environ) for side in SIDES]
            for side, code in zip(SIDES, self._obey(jobs), strict=True):
                exits[side].append(code)
        self._ask(program, cases)
        return {side: self._outcome(program, cases[side], exits[side], begun) for side in SIDES}

    def deliver(self, environ: dict[str, str]) -> int:
        """Deliver what our side has left in the last program's spool; give the exit code."""
        case = self.case_of("livestream")
        command = [sys.executable, "-m", "livestream", "sync", str(case / "spool")]
        whole = self._environ("livestream", case) | environ
        return subprocess.run(command, env=whole, cwd=case, capture_output=True, check=False, timeout=60).returncode

    def case_of(self, side: Side) -> Path:
        """Give the last program's case: ``work``, ``spool`` and what it said."""
        return self._root / "cases" / str(self._cases) / side

    # -- the places

    def git(self, folder: Path, *words: str) -> None:
        """Run Git, at a time of our own."""
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_AUTHOR_DATE": _GIT_TIME,
            "GIT_COMMITTER_DATE": _GIT_TIME,
            **_GIT_OF_NOBODY,
            **_at_home(self._home),
        }
        subprocess.run(["git", *words], cwd=folder, env=environ, check=True, capture_output=True)

    def dvc(self, folder: Path, words: list[str]) -> None:
        """Run DVC while a place is made."""
        output = str(self._root / "place.txt")
        job = {"folder": str(folder), "stdout": output, "stderr": output, "bound_s": 60, "commands": [words]}
        [code] = self._obey([job | {"environ": self._environ("dvclive", self._root)}])
        assert code == 0, Path(output).read_text()

    def commit(self, folder: Path) -> None:
        """Commit everything."""
        self.git(folder, "add", "--all")
        self.git(folder, "commit", "--quiet", "--message", "base")

    def _place(self, name: str) -> Path:
        place = self._root / "places" / name
        if not place.exists():
            PLACES[name](place, self)
        return place

    # -- one program on one side

    def _prepare(self, program: Program, side: Side) -> Path:
        if side == SIDES[0]:
            self._cases += 1
        case = self.case_of(side)
        work = case / "work"
        shutil.copytree(self._place(program.place), work, symlinks=True)
        if program.brings_its_folder:
            shutil.copytree(
                program.path.parent,
                work,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=_copy_content,
            )
            self.commit(work)
        (work / program.folder).mkdir(parents=True, exist_ok=True)
        _make_home(case / "home")
        return case

    def _job(self, program: Program, side: Side, case: Path, environ: dict[str, str]) -> dict[str, Any]:
        what = {"commands": program.run} if program.run else {"program": str(program.path)}
        more = {name: value.replace("<work>", str(case / "work")) for name, value in environ.items()}
        return {
            "side": self._played(side),
            "folder": str(case / "work" / program.folder),
            "environ": self._environ(side, case) | more,
            "stdout": str(case / "stdout.txt"),
            "stderr": str(case / "stderr.txt"),
            "log": str(case / "log.txt"),
            "bound_s": program.bound_s,
            **what,
        }

    def _ask(self, program: Program, cases: dict[Side, Path]) -> None:
        commands = [words for question in program.ask for words in QUESTIONS[question]]
        if not commands:
            return
        jobs = [self._job(program, side, case, {}) for side, case in cases.items()]
        for job, case in zip(jobs, cases.values(), strict=True):
            job |= {"commands": commands, "stdout": str(case / "answers.txt"), "stderr": str(case / "asked.txt")}
        assert self._obey(jobs) == [0, 0]

    def _outcome(self, program: Program, case: Path, exits: list[int | None], begun_s: float) -> Outcome:
        work = case / "work"
        masks = Masks(work, begun_s, time.time(), program.path.read_text())
        stderr = _read(case / "stderr.txt")
        records = [json.loads(line) for line in _read(case / "log.txt").splitlines()]
        return Outcome(
            exits=exits,
            says=masks(_read(case / "stdout.txt")),
            warns=[warning_of(level, text, masks) for level, text in records],
            ends=masks(exception_of(stderr)) if any(exits) else "",
            files=files_of(work, masks) | names_beside(case) | answers_of(_read(case / "answers.txt"), masks),
            stderr=stderr,
        )

    # -- the process

    def _obey(self, jobs: list[dict[str, Any]]) -> list[int | None]:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        if not self._is_ready:
            self._is_ready = self._zygote.stdout.readline() == "ready\n"
        self._zygote.stdin.write(json.dumps(jobs) + "\n")
        self._zygote.stdin.flush()
        codes: list[int | None] = json.loads(self._zygote.stdout.readline())
        return codes

    def _environ(self, side: Side, case: Path) -> dict[str, str]:
        return {
            "PATH": f"{self._tools[side]}:{os.environ['PATH']}",
            **_GIT_OF_NOBODY,
            **_at_home(case / "home"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PARITY_LOG": str(case / "log.txt"),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(case / "site"),
            "GIT_CEILING_DIRECTORIES": str(case),
            "MPLBACKEND": "Agg",
            "XDG_CONFIG_DIRS": str(self._root / "system"),
            "LIVESTREAM_SPOOL": str(case / "spool"),
            "LIVESTREAM_DAEMON": "off",
        }

    @staticmethod
    def _played(side: Side) -> Side:
        return "dvclive" if _ITSELF else side

    def _make_tools(self, side: Side) -> Path:
        """Make the ``python`` that a pipeline's stage finds: commands stand in dvc.lock, and have to be equal."""
        tools = self._root / "tools" / side
        tools.mkdir(parents=True)
        runner = ROOT / "tests/parity/zygote.py"
        (tools / "python").write_text(f'#!/bin/sh\nexec {sys.executable} {runner} {self._played(side)} "$@"\n')
        (tools / "python").chmod(0o755)
        return tools


def _make_home(home: Path) -> Path:
    config = home / ".config" / "dvc" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("[core]\n    analytics = false\n    check_update = false\n")
    return home


def _at_home(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def _copy_content(source: str, target: str) -> None:
    """Copy a file without its mode, which is the checkout's."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o644)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
