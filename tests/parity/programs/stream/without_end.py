"""A training that ends without end(), while the Studio is slow.

row = "A training without `end`"
studio = ["taken", "late"]

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: running
dvclive/metrics.json: {"loss": 0.0, "step": 0}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1) (2, 0.2)
dvclive/metrics.json: {"loss": 0.2, "step": 2}
'''
"""

from dvclive import Live
from waiting import studio_met

live = Live(exp_name="open", save_dvc_exp=False)
for step in range(3):
    live.log_metric("loss", step / 10)
    live.next_step()
    studio_met(posts=2)  # the start, and step 0, which gets a late answer
