"""DVCLIVE_RESUME does what resume=True does.

place = "plain"
times = 3
environ = {DVCLIVE_RESUME = "yes"}
"""

from dvclive import Live

live = Live(report="html")
for _ in range(2):
    live.log_metric("loss", live.step, timestamp=True)
    live.next_step()
live.end()
