"""`dvc exp save` fails: said, and the run ends all the same."""

from pathlib import Path

from dvclive import Live

live = Live()
live.log_metric("loss", 1)
live.next_step()
Path("broken").mkdir()
Path("broken/dvc.yaml").write_text("stages: [\n")
live.end()
