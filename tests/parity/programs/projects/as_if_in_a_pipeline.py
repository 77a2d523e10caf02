"""The variables that `dvc repro` sets, without `dvc repro`.

environ = {DVC_ROOT = "<work>"}
ask = ["experiments"]
"""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.next_step()
