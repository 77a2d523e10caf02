"""A folder with an earlier run's files and a user's own: what is DVCLive's goes, the rest stays.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

for name in (
    "dvclive/plots/metrics/old.tsv", "dvclive/plots/images/old.png", "dvclive/plots/custom/old.json",
    "dvclive/plots/sklearn/old.json", "dvclive/plots/mine/own.txt", "dvclive/metrics.json", "dvclive/params.yaml",
    "dvclive/report.html", "dvclive/report.md", "dvclive/dvc.yaml", "dvclive/sub/dvc.yaml", "dvclive/mydvc.yaml",
    "dvclive/artifacts/kept.bin", "dvclive/notes.txt",
):  # fmt: skip
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("{}")

with Live() as live:
    live.log_metric("new", 1)
