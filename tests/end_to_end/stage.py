"""The stage of the end-to-end and crash tests: a Studio, a spool, and real processes that train and deliver.

    Stage ── FakeStudio (in this process, a real socket)
      ├──── Training   python training.py, obeys over a pipe
      └──── Service    python -m livestream daemon, or one that its writer started

Nothing here waits for a fixed time: ``until`` polls a condition and has a bound, which only a failure reaches.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

from processes import BOUND_S, Process, Training, command_of, until

from livestream.errors import SpoolError
from livestream.events import Json
from livestream.spool.launch import ask_daemon, read_published
from livestream.spool.layout import is_locked, writer_folders
from livestream.spool.rows import AllBooks, Books, DeadLetter, ExperimentRow, TargetRow
from livestream.spool.state import State
from livestream.testing import DEFAULT_TOKEN, ExperimentLedger, FakeStudio, Ledger

ROOT: Final = Path(__file__).resolve().parents[2]
TRAINING: Final = Path(__file__).with_name("training.py")
REPO_URL: Final = "git@example.com:team/project.git"
BASELINE: Final = "a" * 40

Profile: TypeAlias = Literal["stock", "livestream"]


class Stage:
    """One Studio, one spool, and the processes of one test; ends them all, and nothing else."""

    def __init__(self, root: Path, profile: Profile = "stock", **studio: Any) -> None:
        self.root = root
        self.spool = root / "spool"
        self.home = root / "home"
        self.home.mkdir(exist_ok=True)
        self.studio = FakeStudio(profile, **studio)
        self.allowed_violations = 0
        self._runtime = Path(tempfile.mkdtemp(prefix="ls-"))
        self._processes: list[Process] = []
        self._studios = [self.studio]

    def __enter__(self) -> Self:
        self.studio.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            if process.running:
                with suppress(OSError):
                    process.signal(signal.SIGCONT)
                process.kill()
            process.close()
        self.end_foreign_daemon(signal.SIGKILL)
        for studio in self._studios:
            studio.close()
        shutil.rmtree(self._runtime, ignore_errors=True)
        self._explain()

    def _explain(self) -> None:
        """Print what pytest shows of a failed test only."""
        for process in self._processes:
            print(f"--- stderr of {process.pid}: {process.popen.args!s:.300}\n{process.said()[-4000:]}")
        log = self.spool / "daemon.log"
        if log.exists():
            print(f"--- daemon.log\n{log.read_text(errors='replace')[-4000:]}")
        print(f"--- ledger: {self.studio.ledger.summary()}")
        with suppress(SpoolError):
            state = self.state()
            for row in state.writers(gone=True):
                print(f"--- {row.uid} {row.role} {row.cursor}/{row.emitted} finished {row.finished} gone {row.gone}")
            state.close()
        for folder in self.folders():
            print(f"--- {folder.name}: {sorted(os.listdir(folder))}")

    # -- processes

    def environ(self, **more: str | None) -> dict[str, str]:
        """Give a process's whole environment; ``None`` takes a variable out."""
        whole: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XDG_RUNTIME_DIR": str(self._runtime),
            "XDG_CONFIG_DIRS": str(self.root / "system"),
            "LIVESTREAM_SPOOL": str(self.spool),
            "LIVESTREAM_DAEMON": "off",
            "DVC_STUDIO_URL": self.studio.url,
            "DVC_STUDIO_TOKEN": DEFAULT_TOKEN,
            "DVC_STUDIO_REPO_URL": REPO_URL,
            "DVC_EXP_BASELINE_REV": BASELINE,
        }
        return {name: value for name, value in (whole | more).items() if value is not None}

    def train(self, name: str = "run", environ: dict[str, str] | None = None, **arguments: Json) -> Training:
        """Start a training and wait until its run has begun."""
        command = [sys.executable, str(TRAINING), json.dumps({"name": name, **arguments})]
        popen, errors = self.start(command, environ or self.environ(), piped=True)
        training = Training(popen, errors)
        self._processes.append(training)
        training.answer()
        return training

    def script(self, source: str, *arguments: object, environ: dict[str, str] | None = None) -> Process:
        """Start a script of the test's own."""
        command = [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)]
        process = Process(*self.start(command, environ or self.environ(), piped=False))
        self._processes.append(process)
        return process

    def serve(self, *options: str, environ: dict[str, str] | None = None) -> Process:
        """Start a daemon, and wait until it answers."""
        process = self.command("daemon", str(self.spool), *options, environ=environ)
        until(lambda: self.daemon_pid() == process.pid or not process.running, "the daemon serves the spool")
        assert process.running, process.said()
        return process

    def command(self, *words: str, environ: dict[str, str] | None = None) -> Process:
        """Start ``livestream`` with these words."""
        command = [sys.executable, "-m", "livestream", *words]
        process = Process(*self.start(command, environ or self.environ(), piped=False))
        self._processes.append(process)
        return process

    def drain(self, *options: str, environ: dict[str, str] | None = None, bound_s: float = BOUND_S) -> int:
        """Run ``livestream sync`` to its end; give its exit code."""
        return self.command("sync", str(self.spool), *options, environ=environ).wait(bound_s)

    def once(self, environ: dict[str, str] | None = None) -> int:
        """Run a daemon that ends when it can do nothing more; give its exit code."""
        return self.command("daemon", str(self.spool), "--once", environ=environ).wait()

    def own(self, process: Process) -> None:
        """Take a process over, to end it with the test."""
        self._processes.append(process)

    def start(self, command: list[str], environ: dict[str, str], *, piped: bool) -> tuple[subprocess.Popen[str], Path]:
        """Start a process, its stderr in a file; whoever asks owns it."""
        errors = self.root / f"stderr-{len(self._processes)}.txt"
        with errors.open("w") as file:
            popen = subprocess.Popen(
                command,
                env=environ,
                cwd=self.home,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
                stderr=file,
                text=True,
            )
        return popen, errors

    def another_studio(self, profile: Profile = "stock", token: str = "isat_another") -> FakeStudio:
        """Start one more Studio."""
        studio = FakeStudio(profile, token=token)
        self._studios.append(studio)
        studio.start()
        return studio

    # -- the daemon, whoever started it

    def daemon_pid(self) -> int | None:
        """Give the process that serves the spool now, as far as it has said so."""
        published = read_published(self.spool)
        if published is None or not is_locked(self.spool / "daemon.lock"):
            return None
        return published.pid

    def end_foreign_daemon(self, number: signal.Signals) -> None:
        """Signal a daemon that a writer started: this spool's, and no other process."""
        pid = self.daemon_pid()
        if pid is not None and str(self.spool) in command_of(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end_daemon(self) -> None:
        """End the daemons of this test in good order."""
        for process in self._processes:
            if process.running and process.pid == self.daemon_pid():
                process.signal(signal.SIGTERM)
                assert process.wait() == 0, process.said()

    def ask(self, op: str, **more: Json) -> dict[str, Any]:
        """Ask the daemon over its socket."""
        answer = ask_daemon(self.spool, {"op": op, **more}, timeout_s=10.0)
        assert answer is not None
        return answer

    # -- what has become of it

    @property
    def ledger(self) -> Ledger:
        return self.studio.ledger

    def experiment(self, name: str = "run") -> ExperimentLedger:
        return self.ledger.experiment(name)

    def await_ledger(self, predicate: Callable[[Ledger], bool], bound_s: float = BOUND_S) -> None:
        self.ledger.wait_for(predicate, bound_s)

    def await_done(self, name: str = "run", bound_s: float = BOUND_S) -> ExperimentLedger:
        """Wait until the Studio calls an experiment done."""

        def is_done(ledger: Ledger) -> bool:
            return any(key.name == name and it.status == "done" for key, it in list(ledger.experiments.items()))

        self.await_ledger(is_done, bound_s)
        return self.experiment(name)

    def state(self) -> State:
        """Open the books, to look; the caller closes them."""
        return State.open_readonly(self.spool / "daemon.db")

    def books(self) -> AllBooks:
        """Give the books; empty ones where there are none yet."""
        try:
            state = self.state()
        except SpoolError:
            return AllBooks(total=Books(), writers={})
        try:
            return state.books()
        finally:
            state.close()

    def letters(self) -> list[DeadLetter]:
        state = self.state()
        try:
            return state.letters.list()
        finally:
            state.close()

    def row(self, name: str = "run") -> ExperimentRow | None:
        """Give an experiment's row in the books."""
        try:
            state = self.state()
        except SpoolError:
            return None
        try:
            return next((row for row in state.experiments() if row.experiment.name == name), None)
        except SpoolError:
            return None  # the daemon is just making its books
        finally:
            state.close()

    def targets(self) -> list[TargetRow]:
        try:
            state = self.state()
        except SpoolError:
            return []
        try:
            return state.targets()
        finally:
            state.close()

    def await_held(self, name: str = "run", bound_s: float = BOUND_S) -> str:
        """Wait until an experiment is held; give the reason."""
        until(lambda: (row := self.row(name)) is not None and row.hold, f"{name} is held", bound_s)
        row = self.row(name)
        return (row.hold if row is not None else None) or ""

    def await_studio_held(self, bound_s: float = BOUND_S) -> str:
        """Wait until a Studio is held; give the reason."""
        until(lambda: any(row.state == "held" for row in self.targets()), "a Studio is held", bound_s)
        return next(row.detail for row in self.targets() if row.state == "held")

    def await_empty(self, accepted: int, bound_s: float = BOUND_S) -> AllBooks:
        """Wait until the books know of so many events and none is queued; give them, balanced."""

        def settled() -> bool:
            total = self.books().total
            return total.accepted == accepted and total.queued == 0

        try:
            until(settled, f"{accepted} events are dealt with", bound_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the books: {self.books().total}") from None
        return self.check()

    def await_queued(self, queued: int, bound_s: float = BOUND_S) -> AllBooks:
        """Wait until the books, which count what is written once a second, know of so many events that wait."""
        until(lambda: self.books().total.queued == queued, f"{queued} events wait", bound_s)
        return self.check()

    def check(self) -> AllBooks:
        """Hold the books to their promise, and the requests to the wire's rules."""
        books = self.books()
        for uid, one in books.writers.items():
            assert one.balanced, (uid, one)
            assert one.delivered + one.dead + one.queued == one.accepted, (uid, one)
        assert books.total.balanced
        for studio in self._studios:
            assert len(studio.ledger.violations) <= self.allowed_violations, studio.ledger.violations[:5]
            _check_headers(studio)
        return books

    def folders(self) -> list[Path]:
        """Give the writers' folders."""
        return list(writer_folders(self.spool))


def _check_headers(studio: FakeStudio) -> None:
    """Our extension's headers go to a Studio that advertised them, and to no other."""
    for entry in studio.ledger.requests:
        names = [name for name in entry.headers if name.startswith("livestream-")]
        assert studio.capabilities is not None or not names, names
