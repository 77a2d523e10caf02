"""A stage that has our dvc.yaml's folder as its output: said at the start."""

from pathlib import Path

from dvclive import Live

Path("dvc.yaml").write_text("stages:\n  train:\n    cmd: python train.py\n    outs:\n    - dvclive\n")
with Live(dvcyaml="dvclive/dvc.yaml") as live:
    live.log_metric("loss", 1)
