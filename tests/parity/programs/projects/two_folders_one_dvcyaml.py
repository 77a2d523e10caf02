"""Two runs in two folders that share a dvc.yaml: each keeps the other's entries.

ask = ["metrics", "plots"]
"""

from dvclive import Live

for directory in ("run", "run2", "run"):
    with Live(dir=directory, save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
        live.log_param("of", directory)
