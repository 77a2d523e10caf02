"""Images."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from livestream.as_dvclive.modules.plots.base import Data
from livestream.as_dvclive.modules.utils import isinstance_without_import
from livestream.live import images

_TYPES = (("numpy", "ndarray"), ("matplotlib.figure", "Figure"), ("PIL.Image", "Image"))


class Image(Data):
    """An image."""

    suffixes = images.SUFFIXES
    subfolder = "images"

    @property
    def output_path(self) -> Path:
        """Its file."""
        return self._made(self.name)

    @staticmethod
    def could_log(val: object) -> bool:
        """Tell whether a value is an array, a figure, an image of Pillow's or a path."""
        return isinstance(val, str | PurePath) or any(isinstance_without_import(val, *kind) for kind in _TYPES)

    def dump(self, val: Any, **kwargs: Any) -> None:
        """Write the image."""
        del kwargs
        images.take(self.name, val).save(str(self.output_path))
