"""DVCLIVE_LOGLEVEL silences what DVCLive warns of.

place = "plain"
environ = {DVCLIVE_LOGLEVEL = "ERROR"}
"""

from dvclive import Live

with Live() as live:
    live.log_artifact("nothing")
    live.log_metric("loss", 1)
