"""A dvc.yaml without content."""

from pathlib import Path

from dvclive import Live

Path("dvc.yaml").write_text("")
try:
    with Live() as live:
        live.log_metric("loss", 1)
except Exception as error:
    print(type(error).__name__, error)
