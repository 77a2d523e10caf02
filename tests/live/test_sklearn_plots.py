from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from dvclive.error import InvalidPlotTypeError as RealInvalidPlotTypeError
from dvclive.live import Live
from dvclive_oracle import move, real_live
from sklearn.exceptions import UndefinedMetricWarning

from livestream.live import sklearn
from livestream.live.error import SKLEARN_KINDS, InvalidPlotTypeError, MissingPackageError
from livestream.live.plots import PlotFile

RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, 2, 300)
SCORES = np.clip(LABELS * 0.4 + RANDOM.random(300) * 0.6, 0, 1)
CURVES = tuple(kind for kind in SKLEARN_KINDS if kind != "confusion_matrix")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Live:
    return real_live(tmp_path_factory.mktemp("real"))


def theirs(real: Live, folder: Path, kind: str, labels: Any, predictions: Any, **more: Any) -> Any:
    move(real, folder)
    real.log_sklearn_plot(kind, labels, predictions, **more)
    (plot,) = real._plots.values()
    return plot.output_path.read_text(), list(plot.plot_config.items())


def ours(folder: Path, kind: str, labels: Any, predictions: Any, **more: Any) -> Any:
    texts = (more.pop(key, None) for key in ("title", "x_label", "y_label", "normalized"))
    plot = PlotFile(kind, str(folder), sklearn.settings(kind, *texts))
    plot.write(sklearn.compute(kind, labels, predictions, more).file)
    return Path(plot.path).read_text(), list(plot.config.items())


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        *((kind, {}) for kind in SKLEARN_KINDS),
        ("roc", {"drop_intermediate": False}),
        ("roc", {"pos_label": 0}),
        ("det", {"pos_label": 0}),
        ("precision_recall", {"drop_intermediate": True}),
        ("precision_recall", {"sample_weight": np.arange(300)}),
        ("calibration", {"n_bins": 10, "strategy": "quantile"}),
    ],
)
@pytest.mark.parametrize("of", ["arrays", "lists", "series"])
def test_files_are_dvclives_but_the_first_infinite_threshold(
    kind: str, kwargs: dict[str, Any], of: str, real: Live, tmp_path: Path
) -> None:
    made = {"arrays": np.asarray, "lists": lambda array: array.tolist(), "series": pd.Series}[of]
    predictions = SCORES > 0.5 if kind == "confusion_matrix" else SCORES
    text, config = theirs(real, tmp_path / "theirs", kind, made(LABELS), made(predictions), **kwargs)

    expected = text.replace('"threshold": Infinity', '"threshold": "inf"')
    assert (expected != text) == (kind in {"roc", "det"} and "Infinity" in text)
    assert ours(tmp_path / "ours", kind, made(LABELS), made(predictions), **kwargs) == (expected, config)
    assert orjson.loads(expected)


@pytest.mark.parametrize(
    "more",
    [
        {"title": "T"},
        {"title": "", "x_label": "X", "y_label": "Y"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", SKLEARN_KINDS)
def test_what_dvc_is_told_is_what_dvclive_tells(kind: str, more: dict[str, Any], real: Live, tmp_path: Path) -> None:
    _, expected = theirs(real, tmp_path / "theirs", kind, LABELS, SCORES, **more)
    _, found = ours(tmp_path / "ours", kind, LABELS, SCORES, **more)

    assert found == expected


@pytest.mark.parametrize(("normalized", "template"), [(True, "confusion_normalized"), (False, "confusion")])
def test_a_confusion_matrix_can_be_normalized(
    normalized: bool,  # noqa: FBT001 - a parameter of pytest's
    template: str,
    real: Live,
    tmp_path: Path,
) -> None:
    labels, predictions = ["cat", "dog", "dog"], np.array([1, 2, 3])
    found = ours(tmp_path / "ours", "confusion_matrix", labels, predictions, normalized=normalized)

    assert found == theirs(real, tmp_path / "theirs", "confusion_matrix", labels, predictions, normalized=normalized)
    assert found[1][0] == ("template", template)


@pytest.mark.parametrize("kind", CURVES)
def test_only_a_confusion_matrix_can_be_normalized(kind: str, real: Live, tmp_path: Path) -> None:
    for normalized in (True, False):
        with pytest.raises(TypeError, match="normalized"):
            theirs(real, tmp_path, kind, LABELS, SCORES, normalized=normalized)
        with pytest.raises(TypeError, match="normalized"):
            ours(tmp_path, kind, LABELS, SCORES, normalized=normalized)


@pytest.mark.parametrize("kind", SKLEARN_KINDS)
def test_rows_are_the_plain_points_of_the_file(kind: str) -> None:
    content = sklearn.compute(kind, LABELS, LABELS if kind == "confusion_matrix" else SCORES, {})

    assert content.rows == (content.file if kind == "confusion_matrix" else content.file[kind])
    assert len(content.rows) > 3
    assert {type(value) for row in content.rows for value in row.values()} <= {str, float}
    assert orjson.loads(orjson.dumps(content.rows)) == content.rows


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_scores_of_other_types_are_written_where_dvclive_raises(
    kind: type[np.number], real: Live, tmp_path: Path
) -> None:
    scores = (SCORES * 8).astype(kind)
    with pytest.raises(TypeError, match=kind.__name__):
        theirs(real, tmp_path / "theirs", "precision_recall", LABELS, scores)
    text, _ = ours(tmp_path / "ours", "precision_recall", LABELS, scores)

    assert json.loads(text)["precision_recall"][-1]["threshold"] == scores.max().item()


def test_a_curve_of_one_class_alone_is_valid_json(tmp_path: Path) -> None:
    with pytest.warns(UndefinedMetricWarning):
        text, _ = ours(tmp_path, "roc", np.zeros(4), np.arange(4.0))

    assert orjson.loads(text)["roc"][0] == {"fpr": 0.0, "tpr": "nan", "threshold": "inf"}


@pytest.mark.parametrize("kind", ["pr", "", "ROC", None, []])
def test_other_kinds_are_refused_in_dvclives_words(kind: Any, real: Live, tmp_path: Path) -> None:
    with pytest.raises(InvalidPlotTypeError, match="is not supported") as caught:
        sklearn.compute(kind, LABELS, SCORES, {})
    with pytest.raises(InvalidPlotTypeError):
        sklearn.settings(kind, None, None, None, None)
    if isinstance(kind, str) and kind:
        with pytest.raises(RealInvalidPlotTypeError) as expected:
            theirs(real, tmp_path, kind, LABELS, SCORES)
        assert str(caught.value) == str(expected.value)


def test_the_errors_of_scikit_learn_are_the_callers(real: Live, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples") as expected:
        theirs(real, tmp_path, "roc", [0, 1], [0.5])
    with pytest.raises(ValueError, match="inconsistent numbers of samples") as found:
        sklearn.compute("roc", [0, 1], [0.5], {})
    assert str(found.value) == str(expected.value)
    with pytest.raises(TypeError, match="unknown"):
        sklearn.compute("roc", LABELS, SCORES, {"unknown": 1})


def test_a_missing_scikit_learn_is_named_and_a_confusion_matrix_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "sklearn.metrics", "sklearn.calibration"):
        monkeypatch.setitem(sys.modules, name, None)
    for kind in CURVES:
        with pytest.raises(MissingPackageError, match=r"log_sklearn_plot.*scikit-learn.*livestream\[sklearn\]"):
            sklearn.compute(kind, LABELS, SCORES, {})

    assert sklearn.compute("confusion_matrix", [1], ["a"], {}).rows == [{"actual": "1", "predicted": "a"}]
