"""exp_name that an earlier experiment has: said, and a random one instead.

ask = ["experiments"]
"""

from dvclive import Live

for loss in (1, 2):
    with Live(exp_name="taken") as live:
        live.log_metric("loss", loss)
