"""Inside `dvc exp run`: DVC saves the experiment, with everything that was logged.

run = [["exp", "run"]]
ask = ["experiments", "metrics", "plots", "status"]
"""

from pathlib import Path

from dvclive import Live
from PIL import Image

with Live(exp_name="ignored", report="html") as live:
    live.log_param("lr", 0.1)
    for step in range(2):
        live.log_metric("loss", step)
        live.log_image("sample.png", Image.new("L", (4, 4), step))
        live.next_step()
    Path("model.bin").write_text("weights")
    live.log_artifact("model.bin", type="model")
