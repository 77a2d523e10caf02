"""Entries of another folder whose path holds the name of ours.

row = "Entries of others in dvc.yaml"
place = "plain"
differs = ["dvc.yaml"]

[dvclive]
says = '''
metrics:
- run/metrics.json
plots:
- run/plots/metrics:
    x: step

'''

[livestream]
says = '''
metrics:
- old/run/metrics.json
- run/metrics.json
plots:
- overrun/plots/loss.tsv
- run/plots/metrics:
    x: step

'''
"""

from pathlib import Path

from dvclive import Live

Path("dvc.yaml").write_text("metrics:\n- old/run/metrics.json\nplots:\n- overrun/plots/loss.tsv\n")
with Live(dir="run") as live:
    live.log_metric("loss", 1)
print(Path("dvc.yaml").read_text())
