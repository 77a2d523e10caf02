"""report="notebook" outside a notebook: said, and switched off.

place = "plain"
"""

from dvclive import Live

with Live(report="notebook") as live:
    print(live.report_file)
    live.log_metric("loss", 1)
    live.next_step()
    live.make_report()
