"""Numpy's scalars of each class that is taken.

place = "plain"
"""

import numpy as np
from dvclive import Live

KINDS = (
    "intc", "intp", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
)  # fmt: skip

with Live() as live:
    for step in range(2):
        for kind in KINDS:
            live.log_metric(kind, getattr(np, kind)(step + 1))
        live.log_metric("third", np.float32(1 / 3))
        live.log_metric("half", np.float16(1 / 3))
        live.log_metric("double", np.float64(1 / 3))
        live.next_step()
    print({name: (type(value).__name__, value) for name, value in live.summary.items()})
