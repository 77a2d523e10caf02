"""Inside `dvc repro`: no experiment is saved, which is said.

run = [["repro"]]
ask = ["experiments", "metrics", "status"]
"""

from pathlib import Path

from dvclive import Live

with Live() as live:
    live.log_param("lr", 0.1)
    for step in range(2):
        live.log_metric("loss", step)
        live.next_step()
    Path("model.bin").write_text("weights")
    live.log_artifact("model.bin", type="model")
