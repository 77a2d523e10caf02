"""Artifacts that are copied: folders, links, over what was there before."""

import os
from pathlib import Path

from dvclive import Live

Path("source/deep").mkdir(parents=True)
Path("source/deep/a.txt").write_text("a")
Path("source/run.sh").write_text("#!/bin/sh\n")
os.chmod("source/run.sh", 0o755)
os.symlink("deep/a.txt", "source/link")
with Live(save_dvc_exp=False) as live:
    live.log_artifact("source/", copy=True, cache=False, name="folder")
    Path("source/deep/b.txt").write_text("b")
    Path("source/deep/a.txt").unlink()
    Path("source/link").unlink()
    live.log_artifact("source", copy=True, cache=False, name="folder")
    live.log_artifact("source/run.sh", copy=True, cache=False, name="script")
