"""resume=True in an empty folder.

place = "plain"
"""

from dvclive import Live

with Live(resume=True) as live:
    print(live.step, live.summary, live.read_latest())
    live.log_metric("loss", 1)
    live.next_step()
