"""A second Live of a folder in one process, as in a notebook whose cell runs twice, while the first still logs.

row = "A second `Live` of one folder in one process"
place = "plain"
differs = ["dvclive/plots/metrics/loss.tsv"]

[dvclive]
says = '''
step	loss
0	10
1	2
1	20

'''
warns = []

[livestream]
says = '''
step	loss
0	10
1	20

'''
warns = ["WARNING:livestream.not_streamed"]
"""

from pathlib import Path

from dvclive import Live

first = Live(save_dvc_exp=False)
first.log_metric("loss", 1)
first.next_step()
second = Live(save_dvc_exp=False)
second.log_metric("loss", 10)
second.next_step()
first.log_metric("loss", 2)
first.next_step()
first.end()
second.log_metric("loss", 20)
second.next_step()
second.end()
print(Path("dvclive/plots/metrics/loss.tsv").read_text())
