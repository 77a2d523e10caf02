"""Programs that end when the one that asked for them does, however that ends.

    python -m livestream.demo.leash PARENT_PID PROGRAM ARGUMENT ...

After a SIGKILL of the demo nobody would be left to end its Studio and its daemon, and neither ends by itself. The
kernel's ``PR_SET_PDEATHSIG`` survives ``exec``, so the program needs to know nothing of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_TAIL_CHARACTERS: Final = 2000


class Leashed:
    """A Python module that runs on the leash of this process.

    Attributes:
        pid: Its process id.
    """

    def __init__(self, module: str, *arguments: str, log: Path, environ: Mapping[str, str]) -> None:
        """Start it in the folder of its ``log``, which gets all that it prints.

        Raises:
            OSError: It cannot be started.
        """
        self._log = log
        leash = [sys.executable, "-m", "livestream.demo.leash", str(os.getpid())]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*leash, sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=environ,
            )
        self.pid = self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """Give the end of what it printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:]

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.wait()

    def end(self, within_s: float) -> None:
        """End it by SIGTERM, and by SIGKILL where that takes too long; may be called twice."""
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()


def main(parent: int, command: list[str]) -> None:
    """Become the program; end at once where the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606 - the demo's own command line


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
