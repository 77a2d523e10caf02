"""Images as files beside the database, named by their content.

A file under its own sha256 never changes: the same image of a thousand steps is stored once, and a backup may link the
files while the Studio runs. A file is whole and on the disk before the row that names it is committed; a crash between
the two leaves a file that no row names, which costs its space and nothing else. No file is ever deleted. What is being
written lies in a folder of its own, which the next start empties: deaths leave nothing that grows.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from livestream.files import FolderError, private_folder, sync_folder, write_whole
from livestream.studio.store.errors import StoreError, StoreFullError

FOLDER: Final = "blobs"
UNFINISHED: Final = "unfinished"

_NAME: Final = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The folder ``blobs/<2 hex>/<64 hex>`` of a Studio's data; one thread puts, any thread may ask for paths."""

    def __init__(self, data: Path) -> None:
        """Make the folder where there is none; whoever puts is the only one who does.

        Raises:
            StoreError: It cannot be made, or is not ours.
        """
        try:
            self.folder = private_folder(data / FOLDER)
            self._unfinished = private_folder(self.folder / UNFINISHED)
            for left in self._unfinished.iterdir():
                left.unlink()
        except FolderError as error:
            raise StoreError(str(error)) from error
        except OSError as error:
            raise StoreError(f"cannot empty {self.folder / UNFINISHED}: {error.strerror}") from error
        self._synced: set[Path] = set()

    def path(self, sha256: str) -> Path:
        """Say where a blob lies, whether it is there or not.

        Raises:
            StoreError: That is no name of a blob.
        """
        if not _NAME.fullmatch(sha256):
            raise StoreError("sha256: expected 64 lower-case hexadecimal digits")
        return self.folder / sha256[:2] / sha256

    def put(self, content: bytes) -> str:
        """Store bytes, so that they survive a power cut, and give their sha256 in hex.

        Raises:
            StoreFullError: The disk took nothing; the same bytes may be put again.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.path(sha256)
        try:
            if not path.exists():
                self._write(path, content)
            elif path.parent not in self._synced:
                # A process that was killed may have left the name without having synced the folder.
                sync_folder(path.parent)
                self._synced.add(path.parent)
        except OSError as error:
            raise StoreFullError(f"{path}: {error.strerror}") from error
        return sha256

    def _write(self, path: Path, content: bytes) -> None:
        folder = path.parent
        self._synced.discard(folder)
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder)
        unfinished = self._unfinished / path.name
        write_whole(unfinished, content)
        os.rename(unfinished, path)
        sync_folder(folder)
        self._synced.add(folder)
