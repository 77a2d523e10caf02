"""`dvc exp run --name`, twice, the second time with nothing left to do.

run = [["exp", "run", "--name", "named", "--message", "about it"], ["exp", "run", "--name", "again"]]
ask = ["experiments"]
"""

import yaml
from dvclive import Live

with Live(dvcyaml=None, save_dvc_exp=False) as live:
    with open("params.yaml") as file:
        live.log_metric("lr", yaml.safe_load(file)["lr"])
    live.next_step()
