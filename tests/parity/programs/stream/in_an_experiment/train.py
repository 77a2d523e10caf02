"""Inside `dvc exp run`, which begins and ends the experiment in the Studio itself.

run = [["exp", "run", "--name", "pipeline"]]

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1)
dvclive/metrics.json: {"loss": 0.1, "step": 1}
dvclive/params.yaml: {"lr": 0.1}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 0.1)
dvclive/metrics.json: {"loss": 0.1, "step": 1}
dvclive/params.yaml: {"lr": 0.1}
'''
"""

from dvclive import Live

with Live() as live:
    live.log_param("lr", 0.1)
    for step in range(2):
        live.log_metric("loss", step / 10)
        live.next_step()
