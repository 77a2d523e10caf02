"""Signals to DVC's extension for VS Code, which watches two files below ``.dvc/tmp/exps/run``.

``DVCLIVE_ONLY`` says that an experiment runs in the workspace, ``DVCLIVE_STEP_COMPLETED`` which step ended last. A run
of ``dvc queue`` works in a copy of the workspace, and DVC_ROOT names the workspace itself: it is told the steps there.

DVCLive writes and syncs the second file in each step, which is most of what a step costs. Nobody needs it after a power
cut: here it stays open and is overwritten in place, by one system call.
"""

from __future__ import annotations

import json
import logging
import os
import weakref
from typing import Final

from livestream.live import writing

logger = logging.getLogger("livestream")

_FOLDER: Final = (".dvc", "tmp", "exps", "run")


class Signals:
    """The signals of one run; where there is no DVC nobody listens, and nothing is written. Nothing here raises."""

    def __init__(self, dvc_root: str | None) -> None:
        """Find the files.

        Args:
            dvc_root: The folder that holds ``.dvc``, of the workspace that this process runs in.
        """
        self._started = _path(dvc_root, "DVCLIVE_ONLY")
        self._completed = _path(os.environ.get("DVC_ROOT") or dvc_root, "DVCLIVE_STEP_COMPLETED")
        self._descriptor: int | None = None
        self._size = 0

    def started(self, name: str) -> None:
        """Say that an experiment runs, which will be saved under its name."""
        if self._started is not None:
            writing.try_put(self._started, _text({"exp_name": name, "pid": os.getpid()}))

    def saved(self) -> None:
        """Say that the experiment has been saved, or will not be."""
        if self._started is not None:
            writing.remove(self._started)

    def step(self, step: int) -> None:
        """Say that a step is complete; ``Live.step`` is the user's to set, and what is no number is not told."""
        if self._completed is None:
            return
        try:
            content = _text({"pid": os.getpid(), "step": int(step)}).encode()
        except Exception:  # noqa: BLE001 - an object of the user's may raise anything
            return
        try:
            if not self._overwrite(content):
                self._begin(self._completed, content)
        except OSError as error:
            path, self._completed = self._completed, None
            logger.warning("livestream.live_file_not_written", extra={"file": path, "error": str(error)})

    def ended(self) -> None:
        """Say that there will be no more steps."""
        self._let_go()
        if self._completed is not None:
            writing.remove(self._completed)

    def _overwrite(self, content: bytes) -> bool:
        if self._descriptor is None or len(content) < self._size:
            return False
        status = os.fstat(self._descriptor)
        if not status.st_nlink or status.st_size != self._size:  # another run's is there now
            return False
        self._size = os.pwrite(self._descriptor, content, 0)
        return True

    def _begin(self, path: str, content: bytes) -> None:
        self._let_go()
        writing.put_bytes(path, content)
        self._descriptor = os.open(path, os.O_WRONLY)
        self._closes = weakref.finalize(self, os.close, self._descriptor)  # also where nobody ends the run
        self._closes.atexit = False
        self._size = len(content)

    def _let_go(self) -> None:
        if self._descriptor is not None:
            self._descriptor = None
            self._closes()


def _path(root: str | None, name: str) -> str | None:
    return None if not root else os.path.join(root, *_FOLDER, name)


def _text(content: dict[str, str | int]) -> str:
    return json.dumps(content, ensure_ascii=False)
