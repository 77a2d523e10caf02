"""dir: a file, and a folder below a file.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

Path("taken").write_text("a file")
for directory in ("taken", "taken/below"):
    try:
        Live(dir=directory, save_dvc_exp=False)
    except OSError as error:
        print(type(error).__name__, error)
