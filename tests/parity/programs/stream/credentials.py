"""A remote whose address holds a password.

row = "Passwords in the remote's address"
environ = {DVC_STUDIO_REPO_URL = ""}

[dvclive]
arrives = '''
experiment 1 of https://user:SECRET@example.com/team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''

[livestream]
arrives = '''
experiment 1 of https://example.com/team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1)
dvclive/metrics.json: {"loss": 1, "step": 0}
'''
"""

import subprocess

from dvclive import Live

subprocess.run(["git", "remote", "add", "origin", "https://user:SECRET@example.com/team/project.git"], check=True)
with Live(exp_name="remote", save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
    live.next_step()
