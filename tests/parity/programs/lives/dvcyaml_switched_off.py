"""dvcyaml: None, False and True, with and without make_dvcyaml by hand.

ask = ["experiments"]
"""

from pathlib import Path

from dvclive import Live

for dvcyaml in (None, False):
    with Live(dvcyaml=dvcyaml, exp_name=f"with-{dvcyaml}".lower()) as live:
        live.log_metric("loss", 1)
        live.next_step()
        print(live.dvc_file, Path("dvc.yaml").exists())
        live.make_dvcyaml()
        print(Path("dvc.yaml").read_text())
    Path("dvc.yaml").unlink()
with Live(dvcyaml=True, exp_name="with-true") as live:
    live.log_metric("loss", 1)
