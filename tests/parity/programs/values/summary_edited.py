"""A summary that is edited by hand: added to, replaced, nested, emptied.

ask = ["metrics", "experiments"]
"""

import numpy as np
from dvclive import Live

with Live() as live:
    live.log_metric("loss", 0.5)
    live.summary["best"] = 0.5
    live.summary["nested"] = {"deep": {"er": [1, 2, {"x": None}]}}
    live.summary["of_numpy"] = np.float32(0.25)
    live.summary["in_list"] = [np.int64(3)]
    live.next_step()
    live.summary.pop("best")
    live.summary["loss"] = "replaced"
    live.summary["text"] = "ünï"
    live.next_step()
    live.summary = {"all": "new"}
    live.log_metric("loss", 0.25)
    live.next_step()
    live.summary.clear()
