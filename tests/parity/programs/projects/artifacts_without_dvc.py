"""Artifacts without a DVC project: said, and skipped.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
with Live() as live:
    live.log_artifact("model.bin", type="model", copy=True)
    live.log_artifact(Path("model.bin"))
