"""A Git repository, and no DVC installed.

row = "DVC is not installed"
place = "project"
differs = ["dvc.yaml", "dvclive/", "dvclive/metrics.json", "dvclive/plots/", "dvclive/plots/metrics/", "dvclive/plots/metrics/loss.tsv", "git:status"]

[dvclive]
says = '''
No module named 'dvc'
'''
warns = []

[livestream]
says = '''
ran
'''
warns = [
    "WARNING:livestream.dvc_missing"
]
"""

import sys
from importlib.machinery import PathFinder


class WithoutDvc(PathFinder):
    """Finds everything but DVC."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "dvc" else super().find_spec(name, path, target)


sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not PathFinder] + [WithoutDvc]
for name in [name for name in sys.modules if name.partition(".")[0] == "dvc"]:
    del sys.modules[name]
try:
    from dvclive import Live
except ImportError as error:
    print(error)
else:
    with Live() as live:
        live.log_metric("loss", 1)
        live.log_artifact("dvc.yaml")
    print("ran")
