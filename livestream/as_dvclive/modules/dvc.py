"""What DVCLive knows of DVC."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from livestream.live import Live
from livestream.live.project import Project

if TYPE_CHECKING:
    from dvc.repo import Repo


def get_dvc_repo() -> Repo | None:
    """Open DVC's repository around the working folder, making it in a Git repository that has none.

    Raises:
        DvcException: DVC cannot open it.
    """
    project = Project.find(os.environ, Path.cwd())
    project.prepare()
    return project.repo


def make_dvcyaml(live: Live) -> None:
    """Write the dvc.yaml of a run."""
    live.make_dvcyaml()
