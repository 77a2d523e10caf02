"""Artifacts that are not there, are no paths, or have names that DVC's registry does not take."""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
with Live() as live:
    for path in (1, None, b"model.bin", ["model.bin"]):
        try:
            live.log_artifact(path)
        except Exception as error:
            print(type(error).__name__, error)
    for arguments in ({"path": "missing"}, {"path": "missing", "copy": True}, {"path": "missing", "cache": False}):
        try:
            live.log_artifact(**arguments)
        except Exception as error:
            print(arguments, type(error).__name__, error)
    for name in ("ok", "with space", "UPPER", "under_score", "a/b", "-a", "a-", "1", "dot.dot", "ünï", "a" * 300):
        live.log_artifact("model.bin", name=name, cache=False)
    live.log_artifact(Path("bad name.txt"), desc="named by its path", cache=False)
