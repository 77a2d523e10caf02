"""The folder's parts are outputs of the stage, with a dvc.yaml of its own, which is said to be in the way.

row = "dvc.yaml in the run's own folder"
differs = ["dvclive/dvc.yaml"]
run = [["exp", "run", "--name", "outputs"]]
ask = ["experiments", "metrics"]
"""

from dvclive import Live

with Live(dvcyaml="dvclive/dvc.yaml") as live:
    live.log_param("lr", 0.1)
    live.log_metric("loss", 1)
    live.next_step()
