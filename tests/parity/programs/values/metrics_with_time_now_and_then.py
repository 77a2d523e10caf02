"""A time that comes and goes between the rows of one metric: the header is not written again.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    live.log_metric("first_with", 1, timestamp=True)
    live.log_metric("first_without", 1)
    live.next_step()
    live.log_metric("first_with", 2)
    live.log_metric("first_without", 2, timestamp=True)
    live.next_step()
