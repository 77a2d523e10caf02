"""What ``livestream demo`` is played with: a Studio, a line to it, a spool, a daemon, and trainings.

Everything lies in one temporary folder, with an environment of its own, so that neither the user's settings nor the
user's spool have a part in it; all of it is gone at the end, also after Ctrl-C. After a SIGKILL of the demo the folder
stays, and the processes end all the same: they are on its leash.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

import livestream
from livestream import config
from livestream.cli.demo_studio import DemoStudio
from livestream.cli.exits import CommandError
from livestream.demo.leash import Leashed
from livestream.demo.record import Emitted, read_record
from livestream.demo.training import Plan
from livestream.spool.launch import is_served, read_published
from livestream.testing import Link

START_DAEMON_S: Final = 20.0
END_DAEMON_S: Final = 8.0
"""A daemon that is told to stop takes 5 s at most for what is in flight."""
LOOK_S: Final = 0.02

MAX_RUNTIME_PATH: Final = 60
"""Characters: the path of a Unix socket below it has 107 at most."""

_KEPT: Final = frozenset({"PATH", "HOME"})


class Stage:
    """The demo's processes and folders; a context manager.

    Attributes:
        studio: `livestream studio`, in a process of its own.
        spool: Where the trainings record.
        plans: The trainings, by the names of their runs.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.plans = {plan.name: plan for plan in plans}
        self._folder = Path(tempfile.mkdtemp(prefix="livestream-demo-"))
        self._trainings: dict[str, Leashed] = {}
        self._daemon: Leashed | None = None
        self._line: Link | None = None
        self.spool = self._folder / "spool"
        self.studio = DemoStudio(self._folder)

    def __enter__(self) -> Self:
        try:
            environ = self._environment(os.environ)
            self.studio.start(environ)
            self._line = Link(self.studio.port)
            environ |= {"DVC_STUDIO_URL": self._line.url, "DVC_STUDIO_TOKEN": self.studio.ingest_token}
            self._daemon = self._start_daemon(environ)
            for plan in self.plans.values():
                self._trainings[plan.name] = self._start_training(plan, environ)
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    @property
    def line(self) -> Link:
        """The network between the daemon and the Studio."""
        if self._line is None:
            raise CommandError("the demo's stage is not set up")
        return self._line

    def is_training(self, name: str) -> bool:
        """Whether a run's process lives.

        Raises:
            CommandError: It ended in another way than the demo knows of.
        """
        training = self._trainings[name]
        if training.code in {None, 0}:
            return training.code is None
        raise CommandError(f"the training of {name} ended with code {training.code}:\n{training.tail()}")

    def kill(self, name: str) -> int:
        """End a run's process by SIGKILL; give the id it had."""
        training = self._trainings.pop(name)
        training.kill()
        return training.pid

    def what_was_emitted(self, name: str) -> Emitted:
        """Read what a run's process, which has ended, handed over."""
        return read_record(self._record_of(name))

    def _record_of(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"

    def _start_daemon(self, environ: Mapping[str, str]) -> Leashed:
        """Start a daemon and wait until it serves the spool.

        The trainings would start one themselves, but that one is nobody's child and on nobody's leash: after a SIGKILL
        of the demo it would wait for ever for a Studio that is gone.
        """
        daemon = Leashed("livestream", "daemon", str(self.spool), log=self._folder / "daemon.log", environ=environ)
        deadline = time.monotonic() + START_DAEMON_S
        while not (is_served(self.spool) and read_published(self.spool)):
            if daemon.code is not None or time.monotonic() > deadline:
                daemon.end(END_DAEMON_S)
                raise CommandError(f"the demo's daemon does not start:\n{daemon.tail()}")
            time.sleep(LOOK_S)
        return daemon

    def _start_training(self, plan: Plan, environ: Mapping[str, str]) -> Leashed:
        record = self._record_of(plan.name)
        return Leashed(
            "livestream.demo.training",
            msgspec.json.encode(plan).decode(),
            str(record),
            log=record.with_suffix(".log"),
            environ={**environ, "LIVESTREAM_DAEMON": "off"},
        )

    def _environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        ours = {spelling for variable in config.VARIABLES for spelling in (variable.name, variable.name.lower())}
        clean = {name: value for name, value in environ.items() if name in _KEPT or name not in ours}
        clean |= {
            "LIVESTREAM_SPOOL": str(self.spool),
            "XDG_CONFIG_HOME": str(self._folder),
            "DVC_SYSTEM_CONFIG_DIR": str(self._folder),
            "NO_PROXY": "127.0.0.1",
        }
        if len(str(self._folder)) <= MAX_RUNTIME_PATH:
            clean["XDG_RUNTIME_DIR"] = str(self._folder)
        return clean | _python_path(environ)

    def _clear(self) -> None:
        """End what was started and remove what was made."""
        for training in self._trainings.values():
            training.kill()
        if self._daemon is not None:
            self._daemon.end(END_DAEMON_S)
        if self._line is not None:
            self._line.close()
        self.studio.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _python_path(environ: Mapping[str, str]) -> dict[str, str]:
    """Let the trainings find livestream where it is run from its sources, not installed."""
    home = Path(livestream.__file__).resolve().parent.parent
    if home.name in {"site-packages", "dist-packages"}:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(home), environ.get("PYTHONPATH"))))}
