"""Plots of scikit-learn, one of each kind but roc (whose first threshold is a listed difference).

ask = ["plots"]
"""

from dvclive import Live

TRUE = [0, 0, 1, 1, 0, 1]
SCORES = [0.1, 0.5, 0.4, 0.8, 0.3, 0.9]

with Live() as live:
    live.log_sklearn_plot("calibration", TRUE, SCORES)
    live.log_sklearn_plot("confusion_matrix", TRUE, [0, 1, 1, 1, 0, 0])
    live.log_sklearn_plot("det", TRUE, SCORES)
    live.log_sklearn_plot("precision_recall", TRUE, SCORES)
    live.next_step()
    live.log_sklearn_plot("precision_recall", TRUE, SCORES[::-1])
