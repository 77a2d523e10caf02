from __future__ import annotations

import pytest
from frameworks_stage import Stage, check_alike, needs

pytestmark = pytest.mark.timeout(300)  # two trainings of seconds each, on a machine that does other things as well


def test_lightning_with_reports_resumed_with_checkpoints_and_tested_after_the_fit(stage: Stage) -> None:
    needs("torch", "lightning")
    real, ours = stage.train("lightning_trainer.py")

    check_alike(real, ours)
    assert ours.said[:3] == ["= 11 DvcLiveLogger dvclive_run", "= 7", "= 7"]
    assert len(ours.experiments) == 1
    assert {"fitted/report.md", "resumed/report.html", "all-model.dvc", "best/artifacts/.gitignore"} <= set(ours.files)


def test_fabric_with_tensors_and_hyperparameters_of_all_kinds(stage: Stage) -> None:
    needs("torch", "lightning")
    real, ours = stage.train("fabric_loop.py")

    check_alike(real, ours)
    assert ours.said == ["= ValueError True"]
    assert ours.files["fabric/plots/metrics/val/deep_loss.tsv"].count(b"\n") == 6


def test_transformers_own_callback_with_each_kind_of_artifact_and_dvclives(stage: Stage) -> None:
    needs("torch", "transformers", "accelerate")
    real, ours = stage.train("transformers_trainer.py")

    check_alike(real, ours)
    assert ours.said == ["= True"]
    assert {"last/artifacts/last.dvc", "best/artifacts/best.dvc", "out.dvc"} & set(ours.files)
    assert "dvclive/plots/metrics/eval/loss.tsv" in ours.files


def test_accelerates_tracker_with_steps_of_its_own(stage: Stage) -> None:
    needs("torch", "accelerate")
    real, ours = stage.train("accelerate_tracker.py")

    check_alike(real, ours)
    assert ours.said == ["= True", "= 32"]
    assert "tracked/report.html" in ours.files


def test_mmengines_backend_with_images_and_files_as_artifacts(stage: Stage) -> None:
    needs("torch", "mmengine")
    real, ours = stage.train("mmengine_runner.py")

    check_alike(real, ours)
    assert "mm/vis_data/plots/images/seen.png" in ours.files


def test_fastai_with_a_frozen_stage_and_a_saved_model(stage: Stage) -> None:
    needs("torch", "fastai")
    real, ours = stage.train("fastai_tabular.py")

    check_alike(real, ours)
    assert ours.files["tuned/plots/metrics/eval/loss.tsv"].count(b"\n") == 5
    assert "models/tuned.pth.dvc" in ours.files


def test_keras(stage: Stage) -> None:
    needs("torch", "keras")
    real, ours = stage.train("keras_fit.py", real_by="with_keras_as_tensorflow.py")

    check_alike(real, ours)
    assert "dvclive/plots/metrics/eval/accuracy.tsv" in ours.files


def test_ultralytics_with_its_images_confusion_matrix_and_best_model(stage: Stage) -> None:
    needs("torch", "ultralytics", "cv2")
    real, ours = stage.train("ultralytics_detect.py")

    check_alike(real, ours)
    assert {"dvclive/plots/sklearn/cf.json", "dvclive/plots/images/train/train_batch/0.jpg"} <= set(ours.files)
    assert "dvclive/artifacts/best.pt.dvc" in ours.files


def test_files_beside_checkpoints_stay_and_the_last_model_of_a_new_transformers_is_an_artifact(stage: Stage) -> None:
    needs("torch", "lightning", "transformers", "accelerate")
    ours = stage.train_with_ours("ours_only.py")

    assert ours.said == [
        "= ['README.md', 'epoch=0-step=2.ckpt', 'notes']",
        "= ['config.json', 'model.safetensors', 'training_args.bin']",
    ]
    assert {"model.dvc", "last/artifacts/last.dvc"} <= set(ours.files)
    assert ours.failures() == []
