"""DVCLIVE_LOGLEVEL=INFO: what is said besides warnings.

row = "What is said below WARNING"
environ = {DVCLIVE_LOGLEVEL = "INFO"}

[dvclive]
warns = [
    "INFO:Logging to experiment 'named'"
]

[livestream]
warns = []
"""

from dvclive import Live

with Live(exp_name="named") as live:
    live.log_metric("loss", 1)
    live.next_step()
