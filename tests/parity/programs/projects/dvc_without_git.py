"""A DVC project without Git, with an artifact.

place = "dvc alone"
ask = ["metrics", "plots"]
"""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
with Live() as live:
    live.log_metric("loss", 1)
    live.log_artifact("model.bin", type="model")
    live.next_step()
