"""Values for the summary only: plot=False and plot=None.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    for step in range(3):
        live.log_metric("only/summary", step, plot=False)
        live.log_metric("none", step, plot=None)
        live.log_metric("sometimes", step, plot=step % 2 == 0)
        live.log_metric("with_time", step, plot=False, timestamp=True)
        live.next_step()
