"""end() inside a with does nothing."""

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.end()
    live.next_step()
    live.end()
    live.log_metric("loss", 2)
    live.next_step()
