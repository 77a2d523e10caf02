"""No Git, and nobody wants an experiment: nothing is said.

place = "plain"
"""

from dvclive import Live

with Live(save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
