"""An exception leaves the with: files and experiment are as without it, and it goes on.

ask = ["experiments"]

[dvclive]
exit = 1
"""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.next_step()
    live.log_metric("loss", 2)
    raise RuntimeError("the training broke")
