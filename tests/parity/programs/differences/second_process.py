"""Another process begins a run in a folder that a run is writing.

row = "Two processes, one folder"
place = "plain"
differs = ["dvclive/plots/metrics/loss.tsv", "dvclive/plots/metrics/other.tsv"]

[dvclive]
says = '''
the first run's rows are gone
step	loss
1	0.25

'''
warns = []

[livestream]
says = '''
the first run's rows are there
step	loss
0	0.5
1	0.25

'''
warns = [
    "WARNING:livestream.folder_is_taken"
]
"""

import os
from pathlib import Path

from dvclive import Live

live = Live(save_dvc_exp=False, dvcyaml=None)
live.log_metric("loss", 0.5)
live.next_step()
rows = Path("dvclive/plots/metrics/loss.tsv")
pid = os.fork()
if pid == 0:
    with Live(save_dvc_exp=False, dvcyaml=None) as other:
        other.log_metric("other", 1)
    os._exit(0)
os.waitpid(pid, 0)
print("the first run's rows are", "there" if rows.exists() else "gone")
live.log_metric("loss", 0.25)
live.next_step()
print(rows.read_text())
