"""A DVC project in a folder of a larger repository.

place = "monorepo"
folder = "vision"
"""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
with Live() as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 0.1)
    live.log_artifact("model.bin")
    live.next_step()
