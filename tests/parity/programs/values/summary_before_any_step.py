"""A run without next_step: no step in the summary."""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 0.5)
    live.log_metric("loss", 0.4)
    print(live.step, live.summary)
