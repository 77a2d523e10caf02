"""What must hold of a ``Live`` after any crash, judged by the trainings' diaries, the folder and the Studio's ledger.

1. Whatever dies when, a reader can read what is there: metrics.json is JSON, each history a table of whole rows.
2. Each step that ``next_step`` returned from is in the folder and at the Studio, with its values, once.
3. A run that resumes goes on after the last step that is whole, under the same name.
4. The Studio has what the folder has: the same rows in the same order, and nothing that was not logged.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
from oracle import Dice
from processes import Process, until
from stage import Stage

from livestream.testing import ExperimentLedger

STORM: Final = Path(__file__).with_name("live_storm.py")
METRICS: Final = ("loss", "train/acc", "a b/c,d")

Point: TypeAlias = tuple[int, float]


class Attempt(msgspec.Struct):
    """One process's part, as its diary tells it.

    Attributes:
        first: The step that it began with.
        issued: What each step's metrics were to be.
        done: Steps whose ``next_step`` returned.
    """

    name: str
    first: int
    issued: dict[int, float]
    done: list[int]


class Lives:
    """The trainings of one test, which write one folder; starts them, and reads their diaries."""

    def __init__(self, stage: Stage, dice: Dice, directory: Path | None = None) -> None:
        self.stage = stage
        self.dice = dice
        self.directory = stage.root / "results" if directory is None else directory
        self._stop = stage.root / "stop"
        self._diaries: list[Path] = []

    def begin(self, *, resume: bool = False, environ: dict[str, str] | None = None, **order: Any) -> Process:
        """Start one, and wait until it is constructed."""
        number = len(self._diaries)
        diary = self.stage.root / f"diary-{number}"
        self._diaries.append(diary)
        whole = {
            "dir": str(self.directory),
            "resume": resume,
            "name": None,
            "attempt": number,
            "diary": str(diary),
            "stop": str(self._stop),
            "seed": self.dice.random(),
            "metrics": METRICS,
            "count": 100_000,
            "images": False,
            "forks": {},
            "leave_at": None,
            "pauses": 0.3,
            "pause_s": 0.01,
        }
        command = [sys.executable, str(STORM), json.dumps(whole | order)]
        process = Process(*self.stage.start(command, environ or self.stage.environ(), piped=False))
        self.stage.own(process)
        until(lambda: diary.exists() or not process.running, "the training begins")
        return process

    def await_steps(self, steps: int) -> None:
        """Wait until the newest training has done so many steps more."""
        until(lambda: len(self.attempts()[-1].done) >= steps, f"{steps} steps are done")

    def end(self, process: Process) -> None:
        """Let a training come to its end."""
        self._stop.touch()
        assert process.wait() == 0, process.said()
        self._stop.unlink()

    def attempts(self) -> list[Attempt]:
        """What each training has noted; one that died before its first line is left out."""
        return [_read(diary) for diary in self._diaries if diary.exists() and diary.stat().st_size]

    # -- what must hold

    def check_folder(self) -> None:
        """Whatever happened, the folder can be read and holds what was done; the last step may be half there."""
        summary = self.summary()
        attempts = self.attempts()
        done = [step for attempt in attempts for step in attempt.done]
        if done:
            assert summary["step"] >= done[-1]
        for name in METRICS:
            rows = self.history(name)
            assert {step for step, _ in rows} >= set(done), f"{name}: steps are lost"
            _check_values(name, rows, attempts)

    def judge(self, *, ends: bool = True) -> ExperimentLedger:
        """Deliver what is left and hold it all together; after a resumed run has ended.

        Args:
            ends: The last training ended by itself. Where it was killed, the folder's last step may be half there, and
                the Studio may lack it, if `next_step` had not returned.
        """
        assert self.stage.drain("--timeout", "60", bound_s=90.0) == 0
        self.check_folder()
        attempts = self.attempts()
        assert len({attempt.name for attempt in attempts}) == 1, "it goes on under the same name"
        _check_beginnings(attempts)
        experiment = self.stage.experiment(attempts[0].name)
        last = self.summary()["step"]
        for name in METRICS:
            rows, sent = self.history(name), experiment.values(name)
            if self.stage.studio.capabilities is None and self.stage.ledger.repeats:
                sent = list(
                    dict.fromkeys(sent)
                )  # a Studio that knows no repeats stores the rows of such a request twice
            if not ends:
                rows = [(step, value) for step, value in rows if step <= last]
                rows = rows[: max(len(sent), attempts[-1].done[-1] + 1)]
            assert [step for step, _ in rows] == list(range(len(rows))), (
                f"{name}: a step is lost, twice or out of place"
            )
            assert not ends or len(rows) == last + 1, f"{name}: the last step is lost"
            assert sent == rows, f"{name}: the Studio has something else"
        if ends:
            assert list(self.directory.rglob("*.livestream")) == [], "a temporary file is left"
        assert experiment.order[0] == "start"
        assert experiment.status == "done"
        books = self.stage.check()
        assert (books.total.queued, books.total.dead, sum(books.total.refused.values())) == (0, 0, 0)
        return experiment

    # -- what a reader sees

    def summary(self) -> dict[str, Any]:
        """Read metrics.json; empty before the first step."""
        path = self.directory / "metrics.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def history(self, name: str) -> list[Point]:
        """Read a metric's rows; each must be whole."""
        path = self.directory / "plots" / "metrics" / f"{name}.tsv"
        if not path.exists():
            return []
        content = path.read_bytes().decode()
        assert content.endswith("\n"), f"{name}: torn: {content[-30:]!r}"
        header, *rows = csv.reader(content.splitlines(), delimiter="\t")
        assert header == ["step", path.stem]
        return [(int(step), float(value)) for step, value in rows]


def _read(diary: Path) -> Attempt:
    began, *lines = (line.split(maxsplit=3) for line in diary.read_text().splitlines())
    return Attempt(
        name=began[3],
        first=int(began[2]),
        issued={int(words[1]): float(words[2]) for words in lines if words[0] == "?"},
        done=[int(words[1]) for words in lines if words[0] == "!"],
    )


def _check_values(name: str, rows: Sequence[Point], attempts: Sequence[Attempt]) -> None:
    """A step that was done has the value of the attempt that did it, any other one that somebody meant to log."""
    done = {step: attempt.issued[step] for attempt in attempts for step in attempt.done}
    for step, value in rows:
        if step in done:
            assert value == done[step], f"{name}: {value} at step {step}, {done[step]} was logged"
        else:
            assert value in {attempt.issued.get(step) for attempt in attempts}, f"{name}: {value} at {step}"


def _check_beginnings(attempts: Sequence[Attempt]) -> None:
    """Each begins after the last step that was whole: that is the one noted last, or the one that was under way."""
    whole = meant = -1
    for attempt in attempts:
        assert whole + 1 <= attempt.first <= meant + 1, f"began at {attempt.first} after {whole} was done"
        whole = max([whole, *attempt.done])
        meant = max([meant, *attempt.issued])
