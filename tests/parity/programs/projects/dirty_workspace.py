"""Changes and new files of the user's in the workspace when the experiment is saved.

ask = ["experiments"]
"""

from pathlib import Path

from dvclive import Live

Path(".gitignore").write_text("*.log\n*.tmp\n")
Path("new.py").write_text("pass\n")
with Live() as live:
    live.log_metric("loss", 1)
