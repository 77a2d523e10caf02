"""NaN and infinities become texts, in the rows and in the summary.

place = "plain"
"""

import numpy as np
from dvclive import Live

with Live() as live:
    for value in (float("nan"), float("inf"), float("-inf"), np.float32("nan"), np.float64("-inf"), 1.0):
        live.log_metric("value", value)
        print(repr(live.summary["value"]))
        live.next_step()
    live.log_metric("last", float("nan"))
