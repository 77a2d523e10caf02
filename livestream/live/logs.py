"""What a ``Live`` logs: one method a kind of news. Each checks its arguments first, and stores nothing bad."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from livestream.events import JsonObject, Plot
from livestream.live import images, plots, sklearn
from livestream.live.error import InvalidDataTypeError, InvalidPlotTypeError
from livestream.live.metrics import check_value, parts_of
from livestream.live.parts import Parts
from livestream.live.summary import check_place, place

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL import Image


class LiveLogs:
    """The logging half of ``Live``; safe from any thread.

    Attributes:
        summary: The newest value of each metric, nested by ``/``; users may put more into it.
    """

    def __init__(self, parts: Parts) -> None:
        """Log into the parts of a run."""
        self.summary: JsonObject = {}
        self._parts = parts
        self._folder = parts.given
        self._step: int | None = None
        self._levels: dict[str, tuple[str, ...]] = {}
        self._plots: dict[str, plots.PlotFile] = {}
        self._has_images = False

    # -- what there is

    @property
    def dir(self) -> str:
        """The folder, as given."""
        return self._folder.directory

    @property
    def params_file(self) -> str:
        """Path of params.yaml."""
        return self._folder.params_file

    @property
    def metrics_file(self) -> str:
        """Path of metrics.json."""
        return self._folder.metrics_file

    @property
    def dvc_file(self) -> str:
        """Path of the dvc.yaml that ``make_dvcyaml`` writes."""
        return self._parts.options.dvc_file

    @property
    def plots_dir(self) -> str:
        """The folder of metrics' histories, images and plots."""
        return self._folder.plots_dir

    @property
    def artifacts_dir(self) -> str:
        """The folder of copied artifacts."""
        return self._folder.artifacts_dir

    @property
    def report_file(self) -> str | None:
        """Path of the report; ``None`` where there is no file of it."""
        return self._folder.report_file(self._parts.report.mode)

    @property
    def step(self) -> int:
        """The step that is being logged; 0 before the first."""
        return self._step or 0

    @step.setter
    def step(self, value: int) -> None:
        self._step = value

    def log_metric(
        self,
        name: str,
        val: float | str | np.integer[Any] | np.floating[Any],
        timestamp: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        plot: bool | None = True,  # noqa: FBT001, FBT002 - DVCLive's signature
    ) -> None:
        """Log one value of a metric at the present step.

        Args:
            name: ``train/loss``: levels are separated by ``/``.
            val: int, float, str, bool or a numpy scalar; NaN and infinities are kept as text.
            timestamp: Put the time (milliseconds since the epoch) into the history.
            plot: ``False``: only the summary gets it, no history.

        Raises:
            InvalidDataTypeError: ``val`` is something else.
            InvalidNameError: The name leaves the folder, or another metric is in its way.
        """
        value = check_value(name, val)
        levels = self._levels.get(name)
        if levels is None:
            levels = self._levels[name] = parts_of(name)
        with self._parts.lock:
            check_place(self.summary, levels)
            if plot:
                timestamp_ms = int(time.time() * 1000) if timestamp else None
                self._parts.row(name, "/".join(levels), self._step or 0, timestamp_ms, value)
            place(self.summary, levels, value)

    def log_param(self, name: str, val: Any) -> None:
        """Log one parameter; see ``log_params``."""
        self.log_params({name: val})

    def log_params(self, params: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Log parameters: numbers, texts, dates, None, and lists and dicts of them, by name.

        Raises:
            InvalidParameterTypeError: YAML cannot hold one of them; none was logged.
        """
        with self._parts.lock:
            self._parts.update_params(dict(params), self.step)

    def log_image(self, name: str, val: np.ndarray | Figure | Image.Image | str | os.PathLike[str]) -> None:
        """Log an image at the present step; one of the same name replaces it in the folder.

        Args:
            name: Ends in .png, .jpg, .jpeg or .gif. ``f"samples/{live.step}.png"`` makes a film of it.
            val: An array that Pillow takes, a Pillow image, a matplotlib figure (which is closed), or a path.

        Raises:
            InvalidDataTypeError: ``val`` is something else.
            InvalidImageNameError: The name has another suffix.
            InvalidNameError: The name leaves the folder.
            MissingPackageError: Pillow is not installed.
        """
        picture = images.take(name, val)
        with self._parts.lock:
            path = os.path.join(self._parts.folder.images_dir, picture.name)
            self._has_images = True
            self._parts.image(picture, path, self.step)

    def log_plot(  # noqa: PLR0913, PLR0917 - DVCLive's signature
        self,
        name: str,
        datapoints: pd.DataFrame | np.ndarray | list[dict[str, Any]],
        x: str,
        y: str | list[str],
        template: str | None = "linear",
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
    ) -> None:
        """Log a custom plot; its points replace those logged under the name before.

        Args:
            name: What it is called.
            datapoints: A dict a point, or a data frame or array that gives them.
            x: The key that is drawn across.
            y: The key, or keys, drawn upwards.
            template: DVC's template.
            title: Shown above it.
            x_label: Shown beside ``x``.
            y_label: Shown beside ``y``.

        Raises:
            InvalidDataTypeError: ``datapoints`` is something else.
            InvalidNameError: The name leaves the folder.
        """
        rows = plots.rows_of(datapoints)
        if not all(isinstance(row, dict) for row in rows):
            raise InvalidDataTypeError(name, type(rows))
        texts = {"title": title, "x_label": x_label, "y_label": y_label}
        with self._parts.lock:
            plot = self._plots.get(name)
            if plot is None:
                settings = {"template": template or None, "x": x, "y": y, **texts}
                config = {key: value for key, value in settings.items() if value is not None}
                plot = plots.PlotFile(name, os.path.join(self._parts.folder.plots_dir, "custom"), config)
            sent = Plot(rows=plots.plain_rows(rows), props=plot.config)
            self._parts.plot(plot, rows, sent)
            self._plots[name] = plot

    def log_sklearn_plot(  # noqa: PLR0913, PLR0917 - DVCLive's signature
        self,
        kind: Literal["calibration", "confusion_matrix", "det", "precision_recall", "roc"],
        labels: list[Any] | np.ndarray,
        predictions: list[Any] | tuple[Any, ...] | np.ndarray,
        name: str | None = None,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        normalized: bool | None = None,  # noqa: FBT001 - DVCLive's signature
        **kwargs: Any,
    ) -> None:
        """Log a plot that scikit-learn computes.

        Args:
            kind: Which one.
            labels: What is true.
            predictions: Predicted labels (``confusion_matrix``) or probabilities (all others).
            name: What it is called; else ``kind``.
            title: Shown above it.
            x_label: Shown across.
            y_label: Shown upwards.
            normalized: Of a confusion matrix: shares instead of counts.
            kwargs: For scikit-learn's function.

        Raises:
            InvalidPlotTypeError: There is no such kind.
            MissingPackageError: scikit-learn is not installed.
        """
        name = name or kind
        with self._parts.lock:
            plot = self._plots.get(name)
            if plot is None:
                if kind not in sklearn.KINDS:
                    raise InvalidPlotTypeError(name)
                config = sklearn.settings(kind, title, x_label, y_label, normalized)
                plot = plots.PlotFile(name, os.path.join(self._parts.folder.plots_dir, "sklearn"), config)
            content = sklearn.compute(kind, labels, predictions, kwargs)
            sent = Plot(rows=plots.plain_rows(content.rows), props=plot.config, folder="sklearn")
            self._parts.plot(plot, content.file, sent)
            self._plots[plot.name] = plot
