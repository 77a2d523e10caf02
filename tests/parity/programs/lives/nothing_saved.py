"""save_dvc_exp=False: files, but no experiment.

ask = ["experiments", "status"]
"""

from dvclive import Live

with Live(save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
    live.next_step()
