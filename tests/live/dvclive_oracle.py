"""The real DVCLive as an oracle of single files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dvclive.live import Live


def real_live(folder: Path) -> Live:
    """Make a Live that writes below a folder what it is told to log, and nothing else.

    It makes a DVC repository of the Git repository that it begins in, so that must be none.
    """
    with contextlib.chdir(folder):
        return Live(str(folder / "dvclive"), save_dvc_exp=False, dvcyaml=None)


def move(live: Live, folder: Path) -> None:
    """Let it write elsewhere from now on, as if it had not logged anything."""
    live._dir = str(folder)
    live._images.clear()
    live._plots.clear()
