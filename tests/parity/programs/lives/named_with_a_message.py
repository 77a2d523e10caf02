"""exp_name and exp_message.

ask = ["experiments"]
"""

from dvclive import Live

with Live(exp_name="my-experiment", exp_message="What this one is about: ünï") as live:
    live.log_metric("loss", 1)
