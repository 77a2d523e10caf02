"""No Git: said once, everything else goes on.

place = "plain"
"""

from dvclive import Live

with Live(exp_name="named", exp_message="all the same") as live:
    live.log_metric("loss", 1)
    live.log_param("lr", 0.1)
    live.next_step()
