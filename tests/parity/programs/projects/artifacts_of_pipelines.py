"""A file that a stage has as its output already, outside of a pipeline run."""

from pathlib import Path

from dvclive import Live

Path("dvc.yaml").write_text("stages:\n  train:\n    cmd: echo > model.bin\n    outs:\n    - model.bin\n")
Path("model.bin").write_text("weights")
with Live() as live:
    live.log_artifact("model.bin", type="model")
    live.cache("model.bin")
