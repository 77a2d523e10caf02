"""Without a with: end() by hand, and again.

ask = ["experiments"]
"""

from dvclive import Live

live = Live(exp_name="by-hand-and-more")
for step in range(3):
    live.log_metric("loss", step)
    live.next_step()
live.end()
print(live.step)
live.log_metric("late", 1)
