"""Signals to DVC's extension for VS Code, from code that runs without a ``Live``."""

from __future__ import annotations

import os
from pathlib import Path

from livestream.live.project import Project
from livestream.live.vscode import Signals


def mark_dvclive_only_started(exp_name: str) -> None:
    """Say that an experiment runs in the workspace."""
    _signals().started(exp_name)


def mark_dvclive_only_ended() -> None:
    """Say that it has ended."""
    _signals().saved()


def mark_dvclive_step_completed(step: int) -> None:
    """Say that a step has ended."""
    _signals().step(step)


def cleanup_dvclive_step_completed() -> None:
    """Say that there are no more steps."""
    _signals().ended()


def _signals() -> Signals:
    root = Project.find(os.environ, Path.cwd()).dvc_root
    return Signals(None if root is None else str(root))
