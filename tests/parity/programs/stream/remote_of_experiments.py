"""DVC_EXP_GIT_REMOTE names the repository, before DVC_STUDIO_REPO_URL.

environ = {DVC_EXP_GIT_REMOTE = "git@example.com:other/name.git"}

[dvclive]
arrives = '''
experiment 1 of git@example.com:other/name.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:other/name.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''
"""

from dvclive import Live

with Live(exp_name="remote", save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
    live.next_step()
