"""DVCLIVE_TEST: everything goes to a temporary folder.

environ = {DVCLIVE_TEST = "true", TMPDIR = "<work>/.dvc/tmp"}
row = "The message of DVCLIVE_TEST"

[dvclive]
warns = [
    "WARNING:DVCLive testing mode enabled.Repo will be ignored and output will be written to <work>/.dvc/tmp/<temporary>."
]

[livestream]
warns = [
    "WARNING:DVCLive testing mode enabled. Repo will be ignored and output will be written to <work>/.dvc/tmp/<temporary>."
]
"""

from pathlib import Path

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 1)
    live.next_step()
    print(Path(live.dir).name, Path(live.dir).is_dir(), live.dvc_file.endswith("dvc.yaml"), Path("dvclive").exists())
