from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream import Live
from livestream.as_dvclive.modules import plots, serialize, utils

real = pytest.importorskip("dvclive", reason="DVCLive is not installed")
real_plots, real_utils, real_serialize = real.plots, real.utils, real.serialize

FRAMEWORKS = ["fastai", "huggingface", "keras", "lightning", "fabric", "xgb"]
PIECES = ["train", "val", "valid", "eval", "test", "step", "epoch", "loss", "_", "/", "x"]


@given(name=st.lists(st.sampled_from(PIECES), max_size=7).map("".join), framework=st.sampled_from(FRAMEWORKS))
def test_metrics_are_named_as_dvclive_names_them(name: str, framework: str) -> None:
    ours = utils.standardize_metric_name(name, f"dvclive.{framework}")
    try:
        theirs = real_utils.standardize_metric_name(name, f"dvclive.{framework}")
    except IndexError:  # DVCLive stumbles over a split without a metric
        theirs = name

    assert ours == theirs


VALUES: list[Any] = [
    1,
    1.5,
    True,
    "text",
    None,
    1j,
    [1],
    np.float16(1),
    np.float64(1),
    np.int8(1),
    np.uint64(1),
    np.longlong(1),
    np.bool_(1),
    np.array(1.0),
    np.zeros((2, 2)),
    np.str_("a"),
    Path("a.png"),
    [{"x": 1}],
    [1, {"x": 1}],
    ([1], [0]),
    ([1], [0], [1]),
    b"bytes",
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{value}")
def test_what_can_be_logged_is_what_dvclive_can_log(value: Any) -> None:
    kinds = ["Metric", "Image", "CustomPlot"]

    assert {kind: getattr(plots, kind).could_log(value) for kind in kinds} == {
        kind: getattr(real_plots, kind).could_log(value) for kind in kinds
    }
    for kind, theirs in real_plots.SKLEARN_PLOTS.items():
        assert plots.SKLEARN_PLOTS[kind].could_log(value) == theirs.could_log(value)


def dump_with(module: Any, folder: Path) -> dict[str, bytes]:
    """Write one file of each kind by the classes alone."""
    metric = module.Metric("train/loss", str(folder))
    for step in range(3):
        metric.step = step
        metric.dump(np.float32(step) / 3)
    module.Image("seen/a.png", str(folder)).dump(np.full((4, 4, 3), 7, np.uint8))
    custom = module.CustomPlot("points.json", str(folder), "x", ["y"], "", title="t")
    custom.dump([{"x": 1, "y": 2.5}])
    sklearn = {
        kind: kinds("named", str(folder), title="t")
        for kind, kinds in module.SKLEARN_PLOTS.items()
        if kind in {"det", "confusion_matrix"}
    }
    configs = [custom.plot_config, *(plot.plot_config for plot in sklearn.values())]
    sklearn["det"].dump(([0, 1, 1, 0], [0.1, 0.6, 0.4, 0.5]), drop_intermediate=False)
    names = [metric.name, custom.name, str(custom.output_path), metric.summary_keys, str(metric.output_path)]
    told = json.dumps([configs, names]).replace(str(folder), "").encode()
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")} | {"told": told}


def test_the_classes_write_the_files_that_dvclives_do(tmp_path: Path) -> None:
    ours = dump_with(plots, tmp_path / "ours")

    assert ours == dump_with(real_plots, tmp_path / "real")
    assert len(ours) == 5


def test_the_encoder_takes_what_dvclives_takes() -> None:
    content = {"a": [np.float32(0.1), np.int64(2)], "b": {"c": np.uint8(3), "d": 1.5}}

    assert json.dumps(content, cls=plots.NumpyEncoder) == json.dumps(content, cls=real_plots.NumpyEncoder)
    with pytest.raises(TypeError):
        json.dumps(np.bool_(1), cls=plots.NumpyEncoder)
    assert set(plots.utils.NUMPY_SCALARS) == set(real_plots.utils.NUMPY_SCALARS)


def test_a_run_is_read_as_dvclive_reads_it(tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVESTREAM_SPOOL", str(spool))
    monkeypatch.chdir(tmp_path)  # in a Git repository without DVC a run makes it a DVC repository
    with Live(str(tmp_path / "run"), save_dvc_exp=False, dvcyaml=None) as live:
        for step in range(3):
            live.log_metric("loss", step / 2)
            live.log_metric("train/acc", step)
            live.next_step()

    assert utils.parse_metrics(live) == real_utils.parse_metrics(live)
    assert utils.read_history(live, "loss") == real_utils.read_history(live, "loss") == ([0, 1, 2], [0.0, 0.5, 1.0])
    assert utils.read_history(live, "train/acc") == ([0, 1, 2], [0.0, 1.0, 2.0])
    assert utils.read_latest(live, "loss") == real_utils.read_latest(live, "loss") == (2, 1.0)


@pytest.mark.parametrize("said", [None, "", "0", "no", "1", "Yes", "true", "any"])
def test_variables_say_yes_as_they_do_to_dvclive(said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if said is not None:
        monkeypatch.setenv("DVCLIVE_OPEN", said)

    assert utils.env2bool("DVCLIVE_OPEN") == real_utils.env2bool("DVCLIVE_OPEN")
    assert utils.env2bool("DVCLIVE_OPEN", undefined=True) == real_utils.env2bool("DVCLIVE_OPEN", undefined=True)


def test_the_small_helpers_do_what_dvclives_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[object] = []

    @utils.run_once
    def once(number: int) -> int:
        return number

    @utils.catch_and_warn(KeyError, logging.getLogger("livestream"), lambda: calls.append("finally"))
    def fails(error: Exception) -> None:
        raise error

    assert [once(1), once(2)] == [1, None]
    fails(KeyError("gone"))
    with pytest.raises(ValueError, match="other"):
        fails(ValueError("other"))
    assert calls == ["finally"] * 2
    assert [record.getMessage() for record in caplog.records] == ["Error in fails: 'gone'"]
    assert utils.isinstance_without_import(np.zeros(1), "numpy", "ndarray")
    assert not utils.isinstance_without_import(1, "numpy", "ndarray")
    assert (
        utils.rel_path(tmp_path / "a" / "b", tmp_path) == real_utils.rel_path(tmp_path / "a" / "b", tmp_path) == "a/b"
    )
    assert utils.matplotlib_installed() == real_utils.matplotlib_installed()
    assert not utils.inside_colab()
    assert not utils.inside_notebook()


def test_a_copy_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for content in ("old", "new"):
        (tmp_path / "model" / content).write_text(content)
        copied = utils.clean_and_copy_into(tmp_path / "model", tmp_path / "copies")
        (tmp_path / "model" / content).unlink()

    assert copied == str(tmp_path / "copies" / "model")
    assert os.listdir(copied) == ["new"]


def test_files_are_written_as_dvclive_writes_them(tmp_path: Path) -> None:
    content = {"b": [1, {"c": None}], "a": "ü", "d": 1.5}
    for module, name in ((serialize, "ours"), (real_serialize, "real")):
        module.dump_yaml(content, tmp_path / name / "a.yaml")
        module.dump_json(content, tmp_path / name / "a.json")
        module.make_dir(tmp_path / name / "deep" / "er" / "file")

    for path in ("a.yaml", "a.json"):
        assert (tmp_path / "ours" / path).read_bytes() == (tmp_path / "real" / path).read_bytes()
    assert serialize.load_yaml(tmp_path / "ours" / "a.yaml") == content
    assert (tmp_path / "ours" / "deep" / "er").is_dir()
    (tmp_path / "no.yaml").write_text("a: [")
    with pytest.raises(serialize.YAMLFileCorruptedError):
        serialize.load_yaml(tmp_path / "no.yaml")
