"""A metric that is a text and one that is a boolean, in a run that goes on.

row = "A text or a boolean as a metric"

[dvclive]
warns = ["ERROR:Failed to post data to studio"]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0)
dvclive/metrics.json: {"loss": 0.0, "step": 0}
'''

[livestream]
warns = []
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1) (2, 0.2)
dvclive/metrics.json: {"loss": 0.2, "phase": "warmup", "flag": true, "step": 2}
'''
"""

from dvclive import Live
from waiting import studio_met

with Live(exp_name="texts", save_dvc_exp=False) as live:
    for step in range(3):
        live.log_metric("loss", step / 10)
        if step == 1:
            live.log_metric("phase", "warmup")
            live.log_metric("flag", True)
        live.next_step()
        studio_met(posts=2)  # the start, and step 0
