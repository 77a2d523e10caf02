"""A run that resumes: whether the history is sent again, and to which experiment.

row = "Resume sends what is new, to the same experiment"
times = 2

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1)
dvclive/metrics.json: {"loss": 0.1, "step": 1}
experiment 2 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1) (2, 0.2) (3, 0.3)
dvclive/metrics.json: {"loss": 0.3, "step": 3}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1) (2, 0.2) (3, 0.3)
dvclive/metrics.json: {"loss": 0.3, "step": 3}
'''
"""

from dvclive import Live

with Live(resume=True, save_dvc_exp=False) as live:
    for _ in range(2):
        live.log_metric("loss", live.step / 10)
        live.next_step()
