"""`dvc exp run --temp`: in a folder of its own, from which only the experiment comes back.

run = [["exp", "run", "--temp", "--name", "temporary"]]
ask = ["experiments"]
"""

from dvclive import Live

with Live() as live:
    live.log_param("lr", 0.1)
    live.log_metric("loss", 1)
    live.next_step()
