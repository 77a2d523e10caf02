"""Plots that scikit-learn computes: what DVC is told of each kind, and the points of its curve.

Each kind but the confusion matrix is one function of scikit-learn, whose arrays become the columns of the rows. They
may have different lengths: a precision-recall curve ends in a point without threshold, which DVCLive leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import msgspec

from livestream.events import Json, JsonObject
from livestream.live.error import SKLEARN_KINDS, InvalidPlotTypeError, MissingPackageError
from livestream.live.plots import plain_rows

KINDS: Final = SKLEARN_KINDS


class Content(msgspec.Struct, frozen=True):
    """What was computed.

    Attributes:
        file: What the plot's file holds.
        rows: Its points, plain.
    """

    file: Json
    rows: list[JsonObject]


class _Kind(msgspec.Struct, frozen=True):
    """One kind of plot.

    Attributes:
        title: DVCLive's, as the labels.
        x: The column that is drawn across.
        y: The column that is drawn upwards.
        function: scikit-learn's.
        columns: What it returns, in its order.
    """

    title: str
    x: str
    y: str
    x_label: str
    y_label: str
    function: str = ""
    columns: tuple[str, ...] = ()
    template: str = "simple"


_KINDS: Final[Mapping[str, _Kind]] = {
    "calibration": _Kind(
        title="Calibration Curve",
        x="prob_pred",
        y="prob_true",
        x_label="Mean Predicted Probability",
        y_label="Fraction of Positives",
        function="sklearn.calibration.calibration_curve",
        columns=("prob_true", "prob_pred"),
    ),
    "confusion_matrix": _Kind(
        title="Confusion Matrix",
        x="actual",
        y="predicted",
        x_label="True Label",
        y_label="Predicted Label",
        template="confusion",
    ),
    "det": _Kind(
        title="Detection error tradeoff (DET)",
        x="fpr",
        y="fnr",
        x_label="False Positive Rate",
        y_label="False Negative Rate",
        function="sklearn.metrics.det_curve",
        columns=("fpr", "fnr", "threshold"),
    ),
    "precision_recall": _Kind(
        title="Precision-Recall Curve",
        x="recall",
        y="precision",
        x_label="Recall",
        y_label="Precision",
        function="sklearn.metrics.precision_recall_curve",
        columns=("precision", "recall", "threshold"),
    ),
    "roc": _Kind(
        title="Receiver operating characteristic (ROC)",
        x="fpr",
        y="tpr",
        x_label="False Positive Rate",
        y_label="True Positive Rate",
        function="sklearn.metrics.roc_curve",
        columns=("fpr", "tpr", "threshold"),
    ),
}


def settings(
    kind: str,
    title: str | None,
    x_label: str | None,
    y_label: str | None,
    normalized: bool | None,  # noqa: FBT001 - as Live.log_sklearn_plot has it
) -> JsonObject:
    """Give what DVC is told of a plot.

    Args:
        kind: One of ``KINDS``.
        title: In place of the kind's own, as the labels.
        x_label: Shown across.
        y_label: Shown upwards.
        normalized: Of a confusion matrix: shares instead of counts.

    Raises:
        InvalidPlotTypeError: There is no such kind.
        TypeError: ``normalized`` is given for another kind than a confusion matrix.
    """
    usual = _kind(kind)
    if normalized is not None and kind != "confusion_matrix":
        raise TypeError(f"`normalized` is for confusion_matrix, not for {kind}")
    return {
        "template": "confusion_normalized" if normalized else usual.template,
        "x": usual.x,
        "y": usual.y,
        "title": usual.title if title is None else title,
        "x_label": usual.x_label if x_label is None else x_label,
        "y_label": usual.y_label if y_label is None else y_label,
    }


def compute(kind: str, labels: Json, predictions: Json, kwargs: Mapping[str, Json]) -> Content:
    """Compute a plot's points.

    Args:
        kind: One of ``KINDS``.
        labels: What is true, N of them.
        predictions: N labels (confusion matrix) or N probabilities (all others).
        kwargs: For scikit-learn's function.

    Raises:
        InvalidPlotTypeError: There is no such kind.
        MissingPackageError: scikit-learn is not installed.
        Exception: What scikit-learn raises where it cannot compute it.
    """
    known = _kind(kind)
    if kind == "confusion_matrix":
        pairs = zip(labels, predictions, strict=False)
        rows: list[JsonObject] = [{"actual": str(actual), "predicted": str(predicted)} for actual, predicted in pairs]
        return Content(rows, rows)
    columns = [values.tolist() for values in _function(kind, known.function)(labels, predictions, **kwargs)]
    rows = plain_rows([dict(zip(known.columns, point, strict=True)) for point in zip(*columns, strict=False)])
    return Content({kind: rows}, rows)


def _kind(kind: str) -> _Kind:
    try:
        return _KINDS[kind]
    except (KeyError, TypeError):
        raise InvalidPlotTypeError(kind) from None


def _function(kind: str, path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    try:
        function: Callable[..., Any] = getattr(import_module(module), name)  # an extra, and a second
    except ImportError as error:
        raise MissingPackageError(f"log_sklearn_plot({kind!r})", "scikit-learn", "sklearn") from error
    return function
