"""A parameter that is a date.

row = "Parameters that JSON does not know"

[dvclive]
warns = ["ERROR:Failed to post data to studio"]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
'''

[livestream]
warns = []
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1)
dvclive/metrics.json: {"loss": 0.1, "step": 1}
dvclive/params.yaml: {"day": "2026-01-02"}
'''
"""

import datetime

from dvclive import Live

with Live(exp_name="dates", save_dvc_exp=False) as live:
    live.log_param("day", datetime.date(2026, 1, 2))
    for step in range(2):
        live.log_metric("loss", step / 10)
        live.next_step()
