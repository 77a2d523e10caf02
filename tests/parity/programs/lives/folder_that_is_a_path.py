"""dir: a Path, an absolute one, and one with a slash at its end.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

for directory in (Path("of_path"), str(Path.cwd() / "absolute"), "slash/"):
    with Live(dir=directory, dvcyaml=None) as live:
        live.log_metric("loss", 1)
        live.log_param("lr", 0.1)
        live.next_step()
        print(live.dir, live.metrics_file)
