"""What ``livestream demo`` is played with: a Studio, a line to it, a spool, a training, and a daemon it starts.

Everything lies in one temporary folder, with an environment of its own, so that neither the user's settings nor the
user's spool have a part in it; all of it is gone at the end, also after Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

import livestream
from livestream import config
from livestream.cli.demo_studio import DemoStudio
from livestream.cli.exits import CommandError
from livestream.demo.leash import leashed
from livestream.demo.training import Emitted
from livestream.spool.launch import ask_daemon, is_served, read_published
from livestream.testing import Link

END_DAEMON_S: Final = 8.0
"""A daemon that is told to stop takes 5 s at most for what is in flight."""

MAX_RUNTIME_PATH: Final = 60
"""Characters: the path of a Unix socket below it has 107 at most."""

_KEPT: Final = frozenset({"PATH", "HOME"})


class Stage:
    """The demo's processes and folders; a context manager.

    Attributes:
        studio: `livestream studio`, in a process of its own.
        spool: Where the training records.
    """

    def __init__(self, epochs: int, epoch_s: float) -> None:
        self._epochs = epochs
        self._epoch_s = epoch_s
        self._folder = Path(tempfile.mkdtemp(prefix="livestream-demo-"))
        self._training: subprocess.Popen[bytes] | None = None
        self._line: Link | None = None
        self.spool = self._folder / "spool"
        self.studio = DemoStudio(self._folder)

    def __enter__(self) -> Self:
        try:
            self.studio.start(self._environment(os.environ))
            self._line = line = Link(self.studio.port)
            self._training = self._start_training(line)
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

    @property
    def training_pid(self) -> int:
        """The training's process id."""
        return self._training.pid if self._training is not None else 0

    @property
    def training_ended(self) -> bool:
        """Whether the training is through."""
        return self._training is not None and self._training.poll() is not None

    def what_was_emitted(self) -> Emitted:
        """Hear from the training, which has ended, what it handed over.

        Raises:
            CommandError: It failed.
        """
        code = self._training.returncode if self._training is not None else None
        if code != 0:
            tail = (self._folder / "training.log").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise CommandError(f"the demo's training ended with code {code}:\n{tail}")
        return msgspec.json.decode((self._folder / "emitted.json").read_bytes(), type=Emitted)

    def _start_training(self, line: Link) -> subprocess.Popen[bytes]:
        command = leashed("-m", "livestream.demo.training", str(self._epochs), str(self._epoch_s))
        with (
            (self._folder / "emitted.json").open("wb") as output,
            (self._folder / "training.log").open("wb") as errors,
        ):
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=self._folder,
                env=self._environment(os.environ)
                | {"DVC_STUDIO_URL": line.url, "DVC_STUDIO_TOKEN": self.studio.ingest_token},
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
        if self._training is not None and self._training.poll() is None:
            self._training.kill()
            self._training.wait()
        _end_daemon(self.spool)
        if self._line is not None:
            self._line.close()
        self.studio.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _end_daemon(spool: Path) -> None:
    published = read_published(spool)
    deadline = time.monotonic() + END_DAEMON_S
    while is_served(spool) and time.monotonic() < deadline:
        published = read_published(spool) or published
        ask_daemon(spool, {"op": "stop"})
        time.sleep(0.1)
    if is_served(spool) and published is not None:
        with suppress(ProcessLookupError):
            os.kill(published.pid, signal.SIGKILL)


def _python_path(environ: Mapping[str, str]) -> dict[str, str]:
    """Let the training find livestream where it is run from its sources, not installed."""
    home = Path(livestream.__file__).resolve().parent.parent
    if home.name in {"site-packages", "dist-packages"}:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(home), environ.get("PYTHONPATH"))))}
