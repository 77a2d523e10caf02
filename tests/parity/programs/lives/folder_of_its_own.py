"""dir: another folder, and one below folders that are not there.

ask = ["metrics", "plots"]
"""

from dvclive import Live

with Live(dir="results/first") as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 0.1)
    live.next_step()
