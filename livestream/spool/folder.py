"""Who writes a training's output folder, and which experiment it was: two small files a folder, in the spool.

Two trainings that write one folder destroy each other's files, so the first one locks it and the next one leaves it
alone. The experiment's name is kept beside the lock, not in the folder itself, because ``dvc exp save`` takes all that
is there: a run that resumes goes on under the name that it had.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from livestream.files import write_whole
from livestream.spool.layout import EXPERIMENT_FOLDER, FileLock, private_folder


class FolderFile:
    """An output folder's place in a spool. Used by one process at a time: the one that has taken the lock.

    Attributes:
        displaced: Called when a newer run of this process takes the folder.
    """

    def __init__(self, spool: Path, folder: str | os.PathLike[str]) -> None:
        """Name the files; ``take`` opens them.

        Raises:
            FolderError: The spool cannot be made.
        """
        digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
        place = private_folder(private_folder(spool) / EXPERIMENT_FOLDER)
        self._lock = FileLock(place / f"{digest}.folder")
        self._path = place / f"{digest}.name"
        self.displaced: Callable[[], object] | None = None

    def take(self) -> bool:
        """Become the folder's writer; ``False`` where another living process is.

        Within one process the newest comes first: in a notebook the run of a cell that is executed again was never
        ended.

        Raises:
            OSError: The disk has no room for the file.
            SpoolError: The filesystem has no locks.
        """
        if (before := _TAKEN.get(self._lock.path)) is not None:
            before.release()
            if before.displaced is not None:
                before.displaced()
        taken = self._lock.take()
        if taken:
            _TAKEN[self._lock.path] = self
        return taken

    @property
    def name(self) -> str | None:
        """The experiment that the folder was written for last."""
        try:
            return self._path.read_text(encoding="utf-8") or None
        except (OSError, ValueError):
            return None

    @name.setter
    def name(self, name: str) -> None:
        with suppress(OSError):  # no room: a run that resumes gets a new name
            write_whole(self._path, name.encode())

    def release(self) -> None:
        """Let another process write the folder."""
        if _TAKEN.get(self._lock.path) is self:
            del _TAKEN[self._lock.path]
        self._lock.release()


_TAKEN: dict[Path, FolderFile] = {}
