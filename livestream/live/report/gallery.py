"""Which images are shown: the newest, as many as a page can carry.

Their files are read when the page is drawn, so only names are kept; a file that is still being encoded is shown by the
next page.
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from livestream.live.images import SUFFIXES

logger = logging.getLogger("livestream")

MAX_IMAGES: Final = 1_000
MAX_IMAGE_BYTES: Final = 16 * 1024 * 1024
"""Of the files; the page holds them in base64, and a few copies of it are in memory while it is written."""


class Gallery:
    """The images of a run, by name: ``samples/3.png``."""

    def __init__(self) -> None:
        """Begin without any."""
        self._paths: dict[str, str] = {}  # the newest is last
        self._cut = False

    def add(self, name: str, path: str) -> None:
        """Take an image, which may be there already."""
        name = os.path.normpath(name)
        self._paths.pop(name, None)
        self._paths[name] = path
        if len(self._paths) > MAX_IMAGES:
            del self._paths[next(iter(self._paths))]
            self._say_cut()

    def load(self, folder: str) -> None:
        """Take the images that a folder holds.

        Raises:
            OSError: The folder cannot be read.
        """
        found: list[tuple[int, str]] = []
        for parent, _, names in os.walk(folder):
            paths = [os.path.join(parent, name) for name in names if name.endswith(SUFFIXES)]
            found += [(os.stat(path).st_mtime_ns, path) for path in paths]
        for _, path in sorted(found):
            self.add(os.path.relpath(path, folder), path)

    def shown(self) -> list[tuple[str, str]]:
        """Give names and paths in DVCLive's order: by suffix, then by name, level by level."""
        chosen = list(self._newest())
        return sorted(chosen, key=lambda image: (_suffix_place(image[0]), PurePath(image[0]).parts))

    def _newest(self) -> Iterator[tuple[str, str]]:
        left = MAX_IMAGE_BYTES
        for name, path in reversed(self._paths.items()):
            try:
                left -= os.stat(path).st_size
            except OSError:
                continue
            if left < 0:
                self._say_cut()
                return
            yield name, path

    def _say_cut(self) -> None:
        if not self._cut:
            self._cut = True
            logger.warning(
                "livestream.report_leaves_out_images: it shows the newest %s, of %s bytes", MAX_IMAGES, MAX_IMAGE_BYTES
            )


def as_source(path: str) -> str:
    """Give an image's file as the page holds it.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        return f"data:image;base64,{base64.b64encode(file.read()).decode()}"


def page_order(name: str) -> tuple[str, bool, int, str]:
    """Give what an HTML page sorts images by: their folder, then the number that the name is, then the name.

    dvc-render compares numbers with ``None`` where a folder has both kinds of names, and fails; here names follow.
    """
    folder, file = os.path.split(name)
    stem = os.path.splitext(file)[0]
    return folder, not stem.isdecimal(), int(stem) if stem.isdecimal() else 0, file


def _suffix_place(name: str) -> int:
    return next(place for place, suffix in enumerate(SUFFIXES) if name.endswith(suffix))
