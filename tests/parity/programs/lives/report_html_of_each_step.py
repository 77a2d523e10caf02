"""report="html", looked at by hand after every step.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

live = Live(report="html")
for step in range(3):
    live.log_metric("loss", step)
    live.make_summary()
    live.make_report()
    print(Path(live.report_file).read_text())
    live.next_step()
live.end()
