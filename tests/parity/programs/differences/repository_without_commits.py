r"""A Git repository without a commit.

row = "A repository without commits"
place = "unborn"
differs = ["dvc.yaml", "dvclive/", "dvclive/metrics.json", "dvclive/plots/", "dvclive/plots/metrics/", "dvclive/plots/metrics/loss.tsv", "git:status"]

[dvclive]
says = '''
Initialized DVC repository.

You can now commit the changes to git.

SCMError - Empty git repo
'''
warns = []

[livestream]
says = '''
ran
'''
warns = [
    "WARNING:Can't save experiment to an empty Git Repo.\nAdd a commit (`git commit`) to save experiments."
]
"""

from dvclive import Live

try:
    live = Live()
except Exception as error:
    print(type(error).__name__, "-", error)
else:
    with live:
        live.log_metric("loss", 1)
    print("ran")
