"""os.chdir between two steps: whose folder gets the second.

row = "`os.chdir` in mid-run"
place = "plain"
differs = ["dvclive/*", "dvc.yaml", "below/*"]

[dvclive]
says = '''
below/dvc.yaml
below/dvclive/metrics.json
below/dvclive/params.yaml
below/dvclive/plots/metrics/loss.tsv
dvc.yaml
dvclive/metrics.json
dvclive/plots/metrics/loss.tsv
step	loss
0	1

'''

[livestream]
says = '''
dvc.yaml
dvclive/metrics.json
dvclive/params.yaml
dvclive/plots/metrics/loss.tsv
step	loss
0	1
1	2

'''
"""

import os
from pathlib import Path

from dvclive import Live

above = Path.cwd()
(above / "below").mkdir()
with Live(save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
    live.next_step()
    os.chdir("below")
    live.log_metric("loss", 2)
    live.log_param("lr", 0.1)
    live.next_step()
for path in sorted(path.relative_to(above) for path in above.rglob("*") if path.is_file()):
    print(path)
print((above / "dvclive/plots/metrics/loss.tsv").read_text())
