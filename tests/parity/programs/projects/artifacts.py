"""Artifacts: files and folders, cached, copied, described, replaced.

ask = ["experiments", "status"]
"""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
Path("data/raw").mkdir(parents=True)
Path("data/raw/a.txt").write_text("a")
Path("report.txt").write_text("text")
with Live() as live:
    live.log_artifact(
        "model.bin", type="model", name="my-model", desc="Mine", labels=["a", "b"], meta={"k": [1, {"v": 2}]}
    )
    live.log_artifact(Path("data"))
    live.log_artifact("report.txt", cache=False, type="text")
    live.log_artifact("report.txt", cache=False, name="another", copy=True)
    live.next_step()
    Path("model.bin").write_text("better weights")
    live.log_artifact("model.bin", type="model", name="my-model", desc="Better")
    live.log_artifact("data/raw/a.txt", copy=True, desc="copied")
    Path("data/raw/a.txt").write_text("changed")
    live.log_artifact("data/raw/a.txt", copy=True)
