"""The same calls of `post_live_metrics`, the stock client's and ours, leave the same in the Studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from daemon_cases import StudioStage

from livestream.events import JsonObject

pytest.importorskip("dvc_studio_client", reason="the stock client is not installed")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[StudioStage]:
    with StudioStage(tmp_path) as stage:
        yield stage


CALLS: Final = """
import base64, importlib, sys
post = importlib.import_module(sys.argv[1]).post_live_metrics
sha, name = "b" * 40, sys.argv[2]

def image(content):
    return {"image": base64.b64encode(content).decode()}

said = [post("start", sha, name, "dvclive", message="a try", subdir="models", params={"params.yaml": {"lr": 0.1}})]
for step in range(5):
    rows = [{"step": step, "timestamp": str(1700000000000 + step), "loss": step / 8, "acc": "nan" if step == 2 else 1}]
    plots = {
        "dvclive/plots/metrics/loss.tsv": {"data": rows},
        "dvclive/plots/metrics/empty.tsv": {"data": []},
        "dvclive/plots/metrics/timestamp.tsv": {"data": [{"step": step, "timestamp": str(float(step))}]},
        f"dvclive/plots/images/{step}.png": image(b"\\x89PNG\\r\\n" + bytes([step]) * 200),
        "dvclive/plots/images/now.png": image(bytes([step]) * 100),
        "eval/scores.json": {"data": [{"class": "a", "score": step}], "props": {"template": "bar"}},
    }
    metrics = {"dvclive/metrics.json": {"data": {"loss": step / 8, "step": step, "deep": {"er": [step, None]}}}}
    said.append(post("data", sha, name, "dvclive", step=step, params={"params.yaml": {"lr": 0.1 + step}},
                     metrics=metrics, plots=plots, machine={"cpu": step}))
said.append(post("done", sha, name, "dvclive", experiment_rev="c" * 40, metrics={"scores.json": {"data": {"auc": 1}}}))
print(said)
"""


def test_the_stock_clients_calls_and_ours_leave_the_same(stage: StudioStage) -> None:
    stage.serve()
    left: list[JsonObject] = []
    for module in ("dvc_studio_client.post_live_metrics", "livestream.client.post"):
        calls = stage.script(CALLS, module, module)
        assert calls.wait() == 0, calls.said()
        shown = stage.reads.await_status(module, "completed")
        images = [(one["path"], one["step"], one["sha256"]) for one in stage.reads.images(shown["id"])]
        plots = stage.reads.get(f"/api/experiments/{shown['id']}/plots")["plots"]
        bars = stage.reads.get(f"/api/experiments/{shown['id']}/plots/content", path="eval/scores.json")["rows"]
        told = ("message", "subdir", "clients", "machine", "experiment_rev", "metrics", "params", "step", "errors")
        left.append(
            {
                **{name: shown[name] for name in told},
                "rows": stage.reads.rows(shown["id"]),
                "images": images,
                "plots": [(plot["path"], plot["step"], plot["props"]) for plot in plots],
                "bars": bars,
            }
        )

    assert left[0] == left[1]
    assert left[0]["rows"]["dvclive/plots/metrics/loss.tsv", "acc"][2] == (2, "nan", 1_700_000_000.002)
    assert left[0]["bars"] == [{"class": "a", "score": 4}]
    assert len(left[0]["images"]) == 10
    assert left[0]["rows"]["dvclive/plots/metrics/timestamp.tsv", "timestamp"] == [
        (step, step, None) for step in range(5)
    ]
