"""What all benchmarks share: interleaved rounds, medians with their spread, targets, a table and JSON.

Theory. A machine that others use drifts, so figures of different runs are not comparable; ratios within one run are.
Contenders therefore take turns, round by round, in an order that rotates, each in a process of its own so that neither
warms the other's caches. A figure is the median over rounds of what a round gives, and its spread is the lowest and the
highest round. A ratio is taken round by round, for the same reason.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from livestream.events import Json, JsonObject
from livestream.spool.filesystem import of_folder

T = TypeVar("T")
Cell: TypeAlias = str | int | float | None

PACKAGES: Final = ("livestream", "aiohttp", "aiosqlite", "msgspec", "orjson", "watchfiles")
ROOT: Final = Path(__file__).resolve().parent.parent
CHILD_TIMEOUT_S: Final = 900.0


class Figure(msgspec.Struct, frozen=True):
    """A median over rounds with the lowest and the highest round."""

    median: float
    low: float
    high: float
    rounds: int

    def text(self, digits: int = 3) -> str:
        """Show it as ``median (low .. high)``."""
        middle, low, high = (f"{value:.{digits}g}" for value in (self.median, self.low, self.high))
        return middle if self.rounds < 2 else f"{middle} ({low} .. {high})"


class Target(msgspec.Struct, frozen=True):
    """One thing that was promised, and what came of it."""

    what: str
    value: float
    bound: float
    kind: Literal["at most", "at least"]

    @property
    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.value <= self.bound if self.kind == "at most" else self.value >= self.bound


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a benchmark was asked to run.

    Attributes:
        quick: A small run that shows that everything works; its figures mean little.
    """

    rounds: int
    quick: bool
    rest: argparse.Namespace


class Report:
    """What one benchmark found: tables, targets and notes; printed as it grows, written as JSON at the end."""

    def __init__(self, question: str, *, quick: bool) -> None:
        self._console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._targets: list[Target] = []
        self._found: JsonObject = {
            "question": question,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": quick,
            "machine": machine(),
            "figures": {},
            "notes": [],
        }
        self._console.print(f"[bold]{question}[/bold]{' (quick)' if quick else ''}")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | Figure]]) -> None:
        """Print a table and keep its figures."""
        shown = Table(title=title, title_justify="left", title_style="bold")
        for place, column in enumerate(columns):
            shown.add_column(column, justify="left" if place == 0 else "right")
        for row in rows:
            shown.add_row(*map(_shown, row))
        self._console.print(shown)
        self._found["figures"][title] = [
            {column: msgspec.to_builtins(cell) for column, cell in zip(columns, row, strict=True)} for row in rows
        ]

    def at_most(self, what: str, value: float, bound: float) -> None:
        """Hold a figure to its upper bound."""
        self._targets.append(Target(what, value, bound, "at most"))

    def at_least(self, what: str, value: float, bound: float) -> None:
        """Hold a figure to its lower bound."""
        self._targets.append(Target(what, value, bound, "at least"))

    def note(self, text: str) -> None:
        """Say something that no table holds."""
        self._console.print(text)
        self._found["notes"].append(text)

    def finish(self, path: Path | None) -> int:
        """Print the targets, write the JSON; give the exit code: 1 where a target is missed."""
        shown = Table(title="targets", title_justify="left", title_style="bold")
        for column in ("what", "measured", "promised", ""):
            shown.add_column(column, justify="right" if column in {"measured", "promised"} else "left")
        for target in self._targets:
            word = "[green]met[/green]" if target.met else "[red]MISSED[/red]"
            shown.add_row(target.what, _shown(target.value), f"{target.kind} {_shown(target.bound)}", word)
        if self._targets:
            self._console.print(shown)
        self._found["targets"] = [{**msgspec.to_builtins(target), "met": target.met} for target in self._targets]
        self._found["load_after"] = os.getloadavg()[0]
        load = f"load {self._found['machine']['load']:.2f} before, {self._found['load_after']:.2f} after"
        self._console.print(f"{self._found['machine']['cpu']}, {os.cpu_count()} cores, {load}", style="dim")
        if path is not None:
            path.write_text(json.dumps(self._found, indent=2) + "\n")
        return 0 if all(target.met for target in self._targets) else 1


def _shown(cell: Cell | Figure) -> str:
    if isinstance(cell, Figure):
        return cell.text()
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def machine() -> JsonObject:
    """Tell what the figures depend on."""
    versions: dict[str, str] = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    below = of_folder(Path(tempfile.gettempdir()))
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "filesystem": below.kind,
        "load": os.getloadavg()[0],
        "versions": versions,
    }


def _cpu() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def run(question: str, measure: Callable[[Options, Report], None], parser: argparse.ArgumentParser) -> int:
    """Parse the common arguments, measure and report; give the exit code.

    Args:
        question: The one that the benchmark answers.
        measure: Does the work.
        parser: With the benchmark's own arguments.
    """
    parser.description = question
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--quick", action="store_true", help="a small run, to see that it works")
    parser.add_argument("--rounds", type=int, help="rounds of each contender")
    parsed = parser.parse_args()
    report = Report(question, quick=parsed.quick)
    measure(Options(rounds=parsed.rounds or (2 if parsed.quick else 5), quick=parsed.quick, rest=parsed), report)
    return report.finish(parsed.json)


def interleave(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Let the contenders take turns; the order rotates by one each round."""
    names = list(contenders)
    found: dict[str, list[T]] = {name: [] for name in names}
    for turn in range(rounds):
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            found[name].append(contenders[name]())
    return found


def figure(values: Sequence[float]) -> Figure:
    """Sum rounds up."""
    return Figure(statistics.median(values), min(values), max(values), len(values))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Compare two contenders round by round."""
    return figure([mine / other for mine, other in zip(ours, theirs, strict=True)])


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that this share of all lies below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def child(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> Json:
    """Run a benchmark's module in a process of its own; give the JSON that it prints.

    Raises:
        subprocess.CalledProcessError: It failed; its standard error was shown.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    environ = quiet_environment() if env is None else dict(env)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=CHILD_TIMEOUT_S, env=environ)
    return msgspec.json.decode(done.stdout)


@contextmanager
def ended_after(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Have a process that this started ended, whatever happens."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="livestream-benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quiet_environment(**extra: str) -> dict[str, str]:
    """Give this environment with ``extra``, and without what would lead a run to a real Studio.

    Processes find this tree's livestream, wherever they start: the daemon does so in ``/``.
    """
    dropped = ("DVC_", "STUDIO_", "LIVESTREAM_", "SLURM_", "TORCHELASTIC_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped) and name != "CI"}
    return kept | {"PYTHONPATH": str(ROOT)} | extra


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: It did not come true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.01)
