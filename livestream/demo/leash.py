"""Run a program that ends when the one that asked for it does, however that ends.

    python -m livestream.demo.leash PARENT_PID PROGRAM ARGUMENT ...

After a SIGKILL of the demo nobody would be left to end its Studio, and a server never ends by itself. The kernel's
``PR_SET_PDEATHSIG`` survives ``exec``, so the program needs to know nothing of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def leashed(*arguments: str) -> list[str]:
    """Give the command line of a Python that ends with this process."""
    return [sys.executable, "-m", "livestream.demo.leash", str(os.getpid()), sys.executable, *arguments]


def main(parent: int, command: list[str]) -> None:
    """Become the program; end at once where the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606 - the demo's own command line


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
