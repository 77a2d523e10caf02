"""Artifacts inside a pipeline: what is an output is left to DVC, about the rest something is said.

run = [["exp", "run", "--name", "artifacts"]]
ask = ["experiments", "status"]
"""

from pathlib import Path

from dvclive import Live
from PIL import Image

with Live(cache_images=True) as live:
    for name in ("output.bin", "tracked.bin", "other.bin"):
        Path(name).write_text(f"new {name}")
        live.log_artifact(name, type="model")
    live.log_artifact("other.bin", name="copy", copy=True)
    live.log_image("sample.png", Image.new("L", (4, 4)))
    live.log_metric("loss", 1)
