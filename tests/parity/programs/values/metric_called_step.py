"""A metric whose name is "step" is overwritten by the step.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    live.log_metric("step", 100)
    print(live.summary, live.step)
    live.next_step()
    print(live.summary, live.step)
    live.log_metric("step", 200)
    print(live.summary, live.step)
