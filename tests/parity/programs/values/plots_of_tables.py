"""Custom plots of pandas' and numpy's tables."""

import numpy as np
import pandas as pd
from dvclive import Live

with Live() as live:
    frame = pd.DataFrame({"x": [0.0, 1.0], "y": [2.5, 3.5], "name": ["a", "b"]})
    live.log_plot("frame", frame, x="x", y="y")
    live.log_plot("indexed", frame.set_index("name"), x="x", y="y")
    live.log_plot("plain", np.array([[0.0, 1.0], [2.0, 3.0]]), x="0", y="1")
    named = np.array([(0.0, 1.0), (2.0, 3.0)], dtype=[("x", float), ("y", float)])
    live.log_plot("named", named, x="x", y="y")
    live.next_step()
