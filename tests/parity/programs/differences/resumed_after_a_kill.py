"""A run that is killed in the middle of a step, and resumes.

row = "Rows of a step that was never completed"
place = "plain"
times = 2
differs = ["dvclive/plots/metrics/loss.tsv"]

[dvclive]
says = '''
step	loss
0	0.0
1	0.1
2	0.2
3	0.3
3	0.33

'''
warns = []

[livestream]
says = '''
step	loss
0	0.0
1	0.1
2	0.2
3	0.33

'''
warns = [
    "WARNING:livestream.unfinished_rows_dropped"
]
"""

import os
from pathlib import Path

from dvclive import Live

live = Live(resume=True, save_dvc_exp=False)
if os.environ["PARITY_TIME"] == "1":
    for step in range(3):
        live.log_metric("loss", step / 10)
        live.next_step()
    live.log_metric("loss", 0.3)
    os._exit(0)
live.log_metric("loss", 0.33)
live.next_step()
live.end()
print(Path("dvclive/plots/metrics/loss.tsv").read_text())
