"""The examples of log_metric's page, one after the other in one run.

ask = ["metrics", "plots"]
"""

from dvclive import Live

with Live() as live:
    live.log_metric("train/loss", 0.4)
    live.log_metric("val/loss", 0.9)

    live.next_step()
    live.log_metric("train/loss", 0.2, timestamp=True)
    live.log_metric("val/loss", 0.4, timestamp=True)
