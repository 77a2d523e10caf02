"""The variables that `dvc exp run` sets, without `dvc exp run`.

environ = {DVC_ROOT = "<work>", DVC_EXP_BASELINE_REV = "0123456789abcdef0123456789abcdef01234567", DVC_EXP_NAME = "set"}
"""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.next_step()
