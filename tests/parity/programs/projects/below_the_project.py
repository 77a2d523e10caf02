"""A folder below the DVC project: names in dvc.yaml are relative to it.

folder = "experiments/one"
"""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
with Live() as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 0.1)
    live.log_artifact("model.bin", type="model")
    live.next_step()
