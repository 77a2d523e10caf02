"""DVCLIVE_OPEN: the report is opened, once.

place = "plain"
environ = {DVCLIVE_OPEN = "1", BROWSER = "echo opened"}
"""

from dvclive import Live

with Live(report="html") as live:
    for step in range(2):
        live.log_metric("loss", step)
        live.next_step()
