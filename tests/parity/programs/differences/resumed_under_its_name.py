"""A saved run that resumes: which experiment it is.

row = "Resume goes on with the same experiment"
times = 2
differs = ["git:references", "git:refs/exps/*/<name> 2*"]

[dvclive]
says = '''
1 experiments
2 rows
.dvc/.gitignore .dvc/config .dvc/tmp/repro.dat .dvcignore .gitignore dvc.yaml dvclive/metrics.json dvclive/plots/metrics/loss.tsv
2 experiments
2 rows
4 rows
.dvc/.gitignore .dvc/config .dvc/tmp/repro.dat .dvcignore .gitignore dvc.yaml dvclive/metrics.json dvclive/plots/metrics/loss.tsv
'''

[livestream]
says = '''
1 experiments
2 rows
.dvc/.gitignore .dvc/config .dvc/tmp/repro.dat .dvcignore .gitignore dvc.yaml dvclive/metrics.json dvclive/plots/metrics/loss.tsv
1 experiments
4 rows
.dvc/.gitignore .dvc/config .dvc/tmp/repro.dat .dvcignore .gitignore dvc.yaml dvclive/metrics.json dvclive/plots/metrics/loss.tsv
'''
"""

import subprocess

from dvclive import Live

with Live(resume=True) as live:
    live.log_metric("loss", live.step)
    live.next_step()
    live.log_metric("loss", live.step)
    live.next_step()


def git(*words):
    return subprocess.run(["git", *words], capture_output=True, check=True, text=True).stdout.splitlines()


saved = [name for name in git("for-each-ref", "--format=%(refname)", "refs/exps") if "/exec/" not in name]
print(len(saved), "experiments")
for rows in sorted(len(git("show", f"{name}:dvclive/plots/metrics/loss.tsv")) - 1 for name in saved):
    print(rows, "rows")
print(*git("ls-tree", "-r", "--name-only", saved[0]))
