"""Neither with nor end(): what the last next_step wrote stays as it is.

ask = ["metrics"]
"""

from dvclive import Live

live = Live()
live.log_param("lr", 0.1)
for step in range(3):
    live.log_metric("loss", step)
    live.next_step()
live.log_metric("loss", 9)
