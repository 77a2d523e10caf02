"""An exception inside with.

row = "An exception inside `with`"

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done, RuntimeError
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''
"""

from dvclive import Live

with Live(exp_name="failed", save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
    live.next_step()
    raise RuntimeError("the training broke")
