"""make_summary, make_dvcyaml, make_report and sync by hand, in a run without next_step.

ask = ["metrics", "params", "plots"]
"""

from pathlib import Path

from dvclive import Live


def shown():
    return sorted(str(path) for folder in ("dvclive", ".") for path in Path(folder).glob("*.*") if path.is_file())


live = Live(report="html")
print(shown())
live.make_summary()
print(shown(), Path("dvclive/metrics.json").read_text())
live.make_dvcyaml()
print(shown(), Path("dvc.yaml").read_text())
live.log_metric("loss", 1)
live.log_param("lr", 0.1)
live.make_dvcyaml()
print(Path("dvc.yaml").read_text())
live.make_report()
print(shown())
live.sync()
print(Path("dvclive/metrics.json").read_text())
live.log_metric("loss", 2)
live.sync()
live.end()
