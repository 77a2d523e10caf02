"""The folder of a run: what its files are called, and what a new run removes from it.

A new run removes what the run before it wrote, and nothing else: users keep files of their own there.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from typing import Final

logger = logging.getLogger("livestream")

_PLOTS: Final = ("metrics", "images", "custom", "sklearn")
_REPORTS: Final = ("report.html", "report.md")


class Folder:
    """Paths below a run's folder, as texts that begin with the folder as it was given."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.params_file = os.path.join(directory, "params.yaml")
        self.metrics_file = os.path.join(directory, "metrics.json")
        self.plots_dir = os.path.join(directory, "plots")
        self.artifacts_dir = os.path.join(directory, "artifacts")
        self.metrics_dir = os.path.join(self.plots_dir, "metrics")
        self.images_dir = os.path.join(self.plots_dir, "images")

    def report_file(self, mode: str | None) -> str | None:
        """Give the report's path; ``None`` where there is no file of it."""
        return os.path.join(self.directory, f"report.{mode}") if mode in {"html", "md"} else None

    def make(self) -> bool:
        """Make the folder.

        Returns:
            Whether it was there.

        Raises:
            OSError: It cannot be made.
        """
        was_there = os.path.isdir(self.directory)
        os.makedirs(self.directory, exist_ok=True)
        return was_there

    def sweep(self) -> None:
        """Remove what a kill left half written: hidden files that were not renamed yet."""
        with suppress(OSError):
            _remove_halves(self.directory, os.listdir(self.directory))
        for path, _, names in os.walk(self.plots_dir):
            _remove_halves(path, names)

    def clear(self) -> None:
        """Remove what an earlier run wrote."""
        for kind in _PLOTS:
            shutil.rmtree(os.path.join(self.plots_dir, kind), ignore_errors=True)
        for path in (self.metrics_file, self.params_file, *(os.path.join(self.directory, name) for name in _REPORTS)):
            _remove(path)
        with suppress(OSError):
            names = os.listdir(self.directory)
            for name in names:
                if name.endswith("dvc.yaml"):
                    _remove(os.path.join(self.directory, name))


def _remove_halves(folder: str, names: list[str]) -> None:
    for name in names:
        if name.startswith(".") and name.endswith(".livestream"):
            _remove(os.path.join(folder, name))


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.warning("livestream.live_file_not_removed", extra={"path": path, "error": str(error)})
