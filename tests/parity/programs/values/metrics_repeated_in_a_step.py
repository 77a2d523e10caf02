"""The same metric several times in one step: a row each, the last one in the summary.

ask = ["metrics", "plots"]
"""

from dvclive import Live

with Live() as live:
    for step in range(2):
        for part in range(3):
            live.log_metric("loss", step + part / 10)
        live.next_step()
    live.log_metric("loss", 9.0)
