from __future__ import annotations

import pytest
from frameworks_stage import Stage, check_alike, needs

pytestmark = pytest.mark.timeout(300)  # two trainings of seconds each, on a machine that does other things as well


def test_lightgbm_with_one_data_set_and_with_more(stage: Stage) -> None:
    needs("lightgbm")
    real, ours = stage.train("lightgbm_train.py")

    check_alike(real, ours)
    assert {"boosted/report.md", "boosted/plots/metrics/valid/auc.tsv", "one/plots/metrics/auc.tsv"} <= set(ours.files)


def test_xgboost_with_all_data_sets_and_with_one_of_them(stage: Stage) -> None:
    needs("xgboost")
    real, ours = stage.train("xgboost_train.py")

    check_alike(real, ours)
    assert ours.said == ["= ['`metric_data` is deprecated and will be removed']"]
    assert {"dvclive/report.html", "dvclive/plots/metrics/eval/error.tsv", "one/plots/metrics/error.tsv"} <= set(
        ours.files
    )


def test_each_trial_of_optuna_is_an_experiment(stage: Stage) -> None:
    needs("optuna")
    real, ours = stage.train("optuna_study.py")

    check_alike(real, ours)
    assert len(ours.experiments) == 6
    assert ours.failures() == ["ValueError"]
    assert b'"loss_1"' in ours.files["broadcast/metrics.json"]
