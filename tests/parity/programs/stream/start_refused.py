"""The Studio answers the first post with 503, and is well again a moment later.

row = "A Studio that refuses, or misses, the start"
studio = ["refused"]

[dvclive]
warns = ["WARNING:`post_to_studio` `start` failed."]
arrives = ""

[livestream]
warns = []
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1) (2, 0.2)
dvclive/metrics.json: {"loss": 0.2, "step": 2}
'''
"""

from dvclive import Live

with Live(exp_name="refused", save_dvc_exp=False) as live:
    for step in range(3):
        live.log_metric("loss", step / 10)
        live.next_step()
