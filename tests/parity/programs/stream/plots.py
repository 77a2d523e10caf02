"""Custom plots and those of scikit-learn.

row = "Custom and scikit-learn plots, live"

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/plots/custom/curve.json: 2 rows
dvclive/plots/sklearn/confusion_matrix.json: 2 rows
dvclive/metrics.json: {"loss": 1, "step": 0}
'''
"""

from dvclive import Live

with Live(exp_name="plots", save_dvc_exp=False) as live:
    live.log_plot("curve", [{"x": 1, "y": 2}, {"x": 2, "y": 1}], x="x", y="y")
    live.log_sklearn_plot("confusion_matrix", [0, 1], [1, 1])
    live.log_metric("loss", 1)
    live.next_step()
