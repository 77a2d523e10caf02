"""Custom plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from livestream.as_dvclive.modules.plots.base import Data
from livestream.events import Json, JsonObject
from livestream.live.plots import PlotFile


class PlotData(Data):
    """A plot: rows in a file of JSON, and what DVC is told of them."""

    suffixes = (".json",)

    def __init__(self, name: str, output_folder: str, config: Mapping[str, Json]) -> None:
        """Name the plot and say how it is drawn."""
        super().__init__(name, output_folder)
        self._file = PlotFile(name, str(self.output_folder), config)
        self.name = self._file.name

    @property
    def output_path(self) -> Path:
        """Its file."""
        return self._made(f"{self.name}.json")

    @property
    def plot_config(self) -> JsonObject:
        """What DVC is told of it."""
        return self._file.config


class CustomPlot(PlotData):
    """A plot of points that a training made."""

    subfolder = "custom"

    def __init__(  # noqa: PLR0913, PLR0917 - DVCLive's signature
        self,
        name: str,
        output_folder: str,
        x: str,
        y: str | list[str],
        template: str | None,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
    ) -> None:
        """Name the plot and say how it is drawn; see ``Live.log_plot``."""
        texts = {"title": title, "x_label": x_label, "y_label": y_label}
        super().__init__(name, output_folder, {"template": template or None, "x": x, "y": y, **texts})

    @staticmethod
    def could_log(val: object) -> bool:
        """Tell whether a value is a list of dicts."""
        return isinstance(val, list) and all(isinstance(row, dict) for row in val)

    def dump(self, val: Any, **kwargs: Any) -> None:
        """Write the points, in place of those before."""
        del kwargs
        self._file.write(val)
