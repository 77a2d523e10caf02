"""A summary with something that JSON cannot hold: the exception is JSON's own.

place = "plain"
"""

from dvclive import Live

live = Live()
live.log_metric("loss", 0.5)
live.next_step()
live.summary["odd"] = {1, 2}
try:
    live.next_step()
except Exception as error:
    print(type(error).__name__, error)
live.summary.pop("odd")
live.log_metric("loss", 0.25)
live.end()
