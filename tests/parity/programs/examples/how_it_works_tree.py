"""The same example with the options that give the tree which is drawn beside it.

row = "dvc.yaml in the run's own folder"
ask = ["experiments", "plots"]
differs = ["dvclive/dvc.yaml", "git:refs/exps/*:dvclive/dvc.yaml"]
"""

import random
from pathlib import Path

from dvclive import Live
from PIL import Image

random.seed(1)

EPOCHS = 2

with Live(save_dvc_exp=True, report="html", dvcyaml="dvclive/dvc.yaml") as live:
    live.log_param("epochs", EPOCHS)

    for i in range(EPOCHS):
        live.log_metric("metric", i + random.random())
        live.log_metric("nested/metric", i + random.random())
        live.log_image("img.png", Image.new("RGB", (50, 50), (i, i, i)))
        Path("model.pt").write_text(str(random.random()))
        live.next_step()

    live.log_artifact("model.pt")
    live.log_sklearn_plot("confusion_matrix", [0, 0, 1, 1], [0, 1, 0, 1])
    live.summary["additional_metric"] = 1.0
