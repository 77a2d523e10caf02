"""An HTML report right after the second of two quick steps, and at the end.

row = "Reports in mid-run"
place = "plain"

[dvclive]
says = '''
True
True
'''

[livestream]
says = '''
False
True
'''
"""

from pathlib import Path

from dvclive import Live

with Live(report="html", save_dvc_exp=False) as live:
    live.log_metric("loss", 0.25)
    live.next_step()
    live.log_metric("loss", 0.125)
    live.next_step()
    print("0.125" in Path(live.report_file).read_text())
print("0.125" in Path(live.report_file).read_text())
