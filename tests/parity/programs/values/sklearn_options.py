"""Plots of scikit-learn with names, labels, settings, arrays and texts.

ask = ["plots"]
"""

import numpy as np
from dvclive import Live

TRUE = np.array([0, 0, 1, 1, 0, 1])
SCORES = np.array([0.1, 0.5, 0.4, 0.8, 0.3, 0.9])

with Live() as live:
    live.log_sklearn_plot("calibration", TRUE, SCORES, name="val/calibration", n_bins=3, title="T")
    live.log_sklearn_plot("confusion_matrix", ["a", "b"], ["b", "b"], name="named.json", normalized=True)
    live.log_sklearn_plot("confusion_matrix", TRUE, SCORES > 0.45, normalized=False, x_label="x", y_label="y")
    live.log_sklearn_plot("det", TRUE, SCORES, name="detected", pos_label=1)
    live.log_sklearn_plot("precision_recall", TRUE, SCORES, name="dropped", drop_intermediate=True, title="PR")
    live.next_step()
    live.log_sklearn_plot("confusion_matrix", ["a"], ["a"], name="named.json", title="the first one's stays")
    live.next_step()
