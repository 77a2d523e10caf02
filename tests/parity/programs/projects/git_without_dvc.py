"""A Git repository without DVC: `dvc init` is run there.

row = "What `dvc init` prints"
place = "git"
differs = ["says"]
ask = ["experiments", "metrics", "status"]
"""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.next_step()
