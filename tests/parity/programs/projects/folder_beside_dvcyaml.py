"""A run above and beside the folder of its dvc.yaml: names go upwards."""

from dvclive import Live

with Live(dir="runs/a", dvcyaml="config/deep/dvc.yaml") as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 1)
    live.log_plot("curve", [{"x": 1, "y": 2}], x="x", y="y")
    live.next_step()
    live.log_metric("loss", 2)
