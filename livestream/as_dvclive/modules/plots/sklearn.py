"""Plots that scikit-learn computes, a class a kind."""

from __future__ import annotations

from typing import Any, ClassVar

from livestream.as_dvclive.modules.plots.custom import PlotData
from livestream.live import sklearn

_PAIR = 2


class SKLearnPlot(PlotData):
    """A plot of labels and predictions."""

    subfolder = "sklearn"
    kind: ClassVar[str]

    def __init__(self, name: str, output_folder: str, **plot_config: Any) -> None:
        """Name the plot.

        Args:
            name: What it is called.
            output_folder: The ``plots`` folder of a run.
            plot_config: What differs from the kind's own settings: title, x_label, y_label, template, normalized.
        """
        normalized = plot_config.pop("normalized", None)
        super().__init__(name, output_folder, sklearn.settings(self.kind, None, None, None, normalized) | plot_config)

    @staticmethod
    def could_log(val: object) -> bool:
        """Tell whether a value is a pair: labels and predictions."""
        return isinstance(val, tuple) and len(val) == _PAIR

    def dump(self, val: Any, **kwargs: Any) -> None:
        """Compute the points, and write them."""
        labels, predictions = val
        self._file.write(sklearn.compute(self.kind, labels, predictions, kwargs).file)


class Calibration(SKLearnPlot):
    """A calibration curve."""

    kind = "calibration"


class ConfusionMatrix(SKLearnPlot):
    """A confusion matrix."""

    kind = "confusion_matrix"


class Det(SKLearnPlot):
    """A detection error tradeoff curve."""

    kind = "det"


class PrecisionRecall(SKLearnPlot):
    """A precision-recall curve."""

    kind = "precision_recall"


class Roc(SKLearnPlot):
    """A receiver operating characteristic curve."""

    kind = "roc"
