"""resume=True of a run that ended at step 0.

row = "Resume of a run that ended at its first step"
place = "plain"
differs = ["dvclive/metrics.json", "dvclive/plots/metrics/loss.tsv"]
times = 2

[dvclive]
says = '''
0
0
'''

[livestream]
says = '''
0
1
'''
"""

from dvclive import Live

with Live(resume=True, save_dvc_exp=False) as live:
    print(live.step)
    live.log_metric("loss", live.step)
    live.next_step()
