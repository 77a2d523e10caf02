"""dvcyaml: other folders, as text and as Path.

ask = ["metrics", "plots"]
"""

from pathlib import Path

from dvclive import Live

for dvcyaml in ("configured/dvc.yaml", Path("other/dvc.yaml")):
    with Live(dir=f"run_{Path(dvcyaml).parent}", dvcyaml=dvcyaml, save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
        live.log_param("lr", 0.1)
        live.next_step()
