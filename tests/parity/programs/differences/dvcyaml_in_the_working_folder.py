"""dir: the working folder itself.

row = "dvc.yaml in the run's own folder"
place = "plain"
differs = ["dvc.yaml"]
"""

from dvclive import Live

with Live(dir=".") as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 0.1)
    live.next_step()
