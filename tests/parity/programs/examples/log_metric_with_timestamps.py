"""The rows that log_metric's page shows: every one with its time."""

from dvclive import Live

with Live() as live:
    for loss in (0.4, 0.2):
        live.log_metric("train/loss", loss, timestamp=True)
        live.log_metric("val/loss", 2 * loss, timestamp=True, plot=True)
        live.next_step()
