"""One thing that is logged: what is common to metrics, images and plots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar


class Data(ABC):
    """Something with a name that is logged into a file.

    Attributes:
        name: As it was logged.
        output_folder: Where files of its kind are.
        step: The step it was logged at last.
    """

    subfolder: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def __init__(self, name: str, output_folder: str) -> None:
        """Name the file; nothing is written.

        Args:
            name: What it is called.
            output_folder: The ``plots`` folder of a run.
        """
        self.name = name
        self.output_folder = Path(output_folder) / self.subfolder
        self.step = -1

    @property
    @abstractmethod
    def output_path(self) -> Path:
        """Its file, whose folder is there when this returns."""

    @staticmethod
    @abstractmethod
    def could_log(val: object) -> bool:
        """Tell whether a value is of a type that can be logged."""

    @abstractmethod
    def dump(self, val: Any, **kwargs: Any) -> None:
        """Write a value."""

    def _made(self, name: str) -> Path:
        path = self.output_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
