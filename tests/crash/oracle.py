"""What must hold after any crash, judged by the trainings' diaries and the Studio's ledger.

1. Every event that ``emit`` gave a number is at the Studio: its row, its step, its value, in its series' order.
2. Nothing is there that no training issued.
3. ``start`` came first, ``done`` last; the rules of the wire were kept.
4. A fresh event passes, and its experiment ends.
5. What was sent twice was a request whose answer was lost or not yet committed; to a Studio that knows repeats no row
   came twice. And the books balance.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from processes import Process, until
from stage import Stage

from livestream.events import Experiment
from livestream.testing import Entry, FakeStudio

STORM: Final = Path(__file__).with_name("storm.py")
ROUNDS: Final = int(os.environ.get("LIVESTREAM_CRASH_ROUNDS", "2"))
SEED: Final = int(os.environ.get("LIVESTREAM_CRASH_SEED", str(time.time_ns() % 1_000_000)))

Point: TypeAlias = tuple[int, float]


class Dice(random.Random):
    """Random numbers whose seed is printed with a failure."""

    def __init__(self, test: str, number: int) -> None:
        super().__init__(f"{SEED} {test} {number}")
        print(f"LIVESTREAM_CRASH_SEED={SEED}, round {number} of {test}")


class Storms:
    """The storms of one test: starts them, and reads their diaries."""

    def __init__(self, stage: Stage, dice: Dice) -> None:
        self.stage = stage
        self.dice = dice
        self.processes: list[Process] = []
        self._stop = stage.root / "stop"
        self._diaries: list[Path] = []

    def begin(self, name: str, environ: dict[str, str] | None = None, **order: Any) -> Process:
        """Start one, and wait until its run has begun."""
        number = len(self._diaries)
        diary = self.stage.root / f"diary-{number}"
        self._diaries.append(diary)
        whole = {
            "name": name,
            "series": f"s{number}",
            "diary": str(diary),
            "stop": str(self._stop),
            "seed": self.dice.random(),
            "count": 100_000,
            "threads": 1,
            "pause_s": 0.02,
        }
        command = [sys.executable, str(STORM), json.dumps(whole | order)]
        process = Process(*self.stage.start(command, environ or self.stage.environ(), piped=False))
        self.stage.own(process)
        self.processes.append(process)
        until(lambda: diary.exists() or not process.running, "the storm begins")
        return process

    def end(self) -> None:
        """Let those that live come to their end."""
        self._stop.touch()
        for process in self.processes:
            if process.running:
                assert process.wait() == 0, process.said()
        self._stop.unlink()

    def noted(self, mark: str) -> dict[str, list[Point]]:
        """Give the points with a mark (``!`` accepted, ``?`` issued, ``x`` refused), by series."""
        points: dict[str, list[Point]] = {}
        for diary in self._diaries:
            for line in diary.read_text().splitlines():
                words = line.split()
                if words[0] == mark:
                    points.setdefault(words[1], []).append((int(words[2]), float(words[3])))
        return points

    @property
    def accepted(self) -> int:
        return sum(map(len, self.noted("!").values()))


def judge(stage: Stage, storms: Storms) -> None:
    """Deliver what is left and hold it all against the diaries."""
    assert stage.drain("--timeout", "60", bound_s=90.0) == 0
    accepted, issued = storms.noted("!"), storms.noted("?")
    arrived = _arrived(stage.studio)
    for series, points in accepted.items():
        _check_series(series, arrived.get(series, []), points)
    for series, rows in arrived.items():
        assert set(rows) <= set(issued.get(series, [])), f"{series}: rows that nobody issued"
    _check_orders(stage.studio)
    _check_repeats(stage.studio)
    assert stage.ledger.violations == []
    books = stage.check()
    assert (books.total.queued, books.total.dead) == (0, 0)
    _check_a_fresh_event(stage)


def _arrived(studio: FakeStudio) -> dict[str, list[Point]]:
    rows: dict[str, list[Point]] = {}
    for experiment in studio.ledger.experiments.values():
        for path in experiment.counts:
            name = path.rpartition("/")[2].removesuffix(".tsv")
            rows.setdefault(name, []).extend((row["step"], row[name]) for row in experiment.points(path))
    return rows


def _check_series(series: str, rows: list[Point], accepted: list[Point]) -> None:
    once = list(dict.fromkeys(rows))
    there = set(once)
    missing = [point for point in accepted if point not in there]
    assert not missing, f"{series}: {len(missing)} of {len(accepted)} accepted events are lost: {missing[:3]}"
    assert once == sorted(once), f"{series}: out of order"


def _check_orders(studio: FakeStudio) -> None:
    for experiment in studio.ledger.experiments.values():
        assert experiment.order[0] == "start"
        assert experiment.status == "done"


def _check_repeats(studio: FakeStudio) -> None:
    for entries in _by_experiment(studio):
        before: Entry | None = None
        for entry in entries:
            if entry.repeat:
                assert before is not None
                assert entry.digest == before.digest, f"request {entry.number} repeats one that was long answered"
            before = entry
    if studio.capabilities is not None:
        assert studio.ledger.duplicates == 0
        assert studio.ledger.marks.overlaps == 0
    else:
        repeated = sum(entry.rows for entry in studio.ledger.requests if entry.repeat)
        assert studio.ledger.duplicates == repeated


def _by_experiment(studio: FakeStudio) -> Iterator[list[Entry]]:
    known: dict[Experiment, list[Entry]] = {}
    for entry in studio.ledger.requests:
        if entry.experiment is not None and (entry.ingested or entry.repeat):
            known.setdefault(entry.experiment, []).append(entry)
    yield from known.values()


def _check_a_fresh_event(stage: Stage) -> None:
    training = stage.train("fresh")
    training.emit({"fresh": 1.0})
    training.finish()
    assert stage.drain("--timeout", "30") == 0
    assert stage.experiment("fresh").values("fresh") == [(0, 1.0)]
    assert stage.experiment("fresh").status == "done"
    stage.check()
