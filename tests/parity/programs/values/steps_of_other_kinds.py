"""Steps that are no plain whole numbers.

place = "plain"
"""

import numpy as np
from dvclive import Live

with Live() as live:
    for step in (True, 2.5, np.int64(7), -3, 10**12):
        live.step = step
        live.log_metric("loss", 1)
        try:
            live.make_summary()
        except Exception as error:
            print(type(error).__name__, error)
    live.step = 3
    live.log_metric("loss", 2)
