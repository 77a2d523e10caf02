"""A folder of results that Git ignores."""

from pathlib import Path

from dvclive import Live

Path(".gitignore").write_text("dvclive\n")
with Live() as live:
    live.log_metric("loss", 1)
