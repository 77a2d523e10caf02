"""What a ``Live`` can log, as DVCLive's classes: others ask them what can be logged, and where it is."""

from __future__ import annotations

from typing import Final

from livestream.as_dvclive.modules.plots.custom import CustomPlot
from livestream.as_dvclive.modules.plots.image import Image
from livestream.as_dvclive.modules.plots.metric import Metric
from livestream.as_dvclive.modules.plots.sklearn import Calibration, ConfusionMatrix, Det, PrecisionRecall, Roc
from livestream.as_dvclive.modules.plots.utils import NumpyEncoder

__all__ = [
    "PLOT_TYPES",
    "SKLEARN_PLOTS",
    "Calibration",
    "ConfusionMatrix",
    "CustomPlot",
    "Det",
    "Image",
    "Metric",
    "NumpyEncoder",
    "PrecisionRecall",
    "Roc",
]

SKLEARN_PLOTS: Final = {
    "calibration": Calibration,
    "confusion_matrix": ConfusionMatrix,
    "det": Det,
    "precision_recall": PrecisionRecall,
    "roc": Roc,
}
PLOT_TYPES: Final = (*SKLEARN_PLOTS.values(), Metric, Image, CustomPlot)
