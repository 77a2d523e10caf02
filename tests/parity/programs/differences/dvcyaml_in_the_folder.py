"""dvcyaml="dvclive/dvc.yaml", as DVCLive's documentation has it: what three syncs write.

row = "dvc.yaml in the run's own folder"
place = "plain"
differs = ["dvclive/dvc.yaml"]

[dvclive]
says = '''
1
2
3
'''

[livestream]
says = '''
1
1
1
'''
"""

from pathlib import Path

from dvclive import Live

with Live(dvcyaml="dvclive/dvc.yaml") as live:
    for step in range(3):
        live.log_metric("loss", step)
        live.next_step()
        print(Path("dvclive/dvc.yaml").read_text().count("metrics.json"))
