"""A folder below a Git repository without DVC.

row = "What `dvc init` prints"
place = "git"
differs = ["says"]
folder = "some/where"
"""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.next_step()
