"""NaN in the summary by hand, and an infinite parameter.

row = "NaN and infinities on the wire"
differs = ["dvclive/metrics.json"]

[dvclive]
warns = ["WARNING:`post_to_studio` `data` failed.", "WARNING:`post_to_studio` `data` failed.", "WARNING:`post_to_studio` `data` failed."]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
'''

[livestream]
warns = []
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1)
dvclive/metrics.json: {"loss": 0.1, "best": "nan", "step": 1}
dvclive/params.yaml: {"limit": "inf"}
'''
"""

from dvclive import Live

with Live(exp_name="nan", save_dvc_exp=False) as live:
    live.log_param("limit", float("inf"))
    for step in range(2):
        live.log_metric("loss", step / 10)
        live.summary["best"] = float("nan")
        live.next_step()
