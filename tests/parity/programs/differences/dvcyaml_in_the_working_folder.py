"""dir: the working folder itself.

row = "dvc.yaml in the run's own folder"
place = "plain"
differs = ["dvc.yaml"]

[dvclive]
says = '''
params:
- params.yaml
- params.yaml
metrics:
- metrics.json
- metrics.json
plots:
- plots/metrics:
    x: step
- plots/metrics:
    x: step

'''

[livestream]
says = '''
params:
- params.yaml
metrics:
- metrics.json
plots:
- plots/metrics:
    x: step

'''
"""

from pathlib import Path

from dvclive import Live

with Live(dir=".") as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 0.1)
    live.next_step()
print(Path("dvc.yaml").read_text())
