"""DVC_EXP_NAME names the experiment, unless the program does.

environ = {DVC_EXP_NAME = "from-environment"}
ask = ["experiments"]
"""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
with Live(exp_name="from-program") as live:
    live.log_metric("loss", 2)
