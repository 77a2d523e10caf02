"""Kinds that are not known.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    for kind, labels, predictions, settings in (
        ("unknown", [0, 1], [0, 1], {}),
        ("unknown", [0, 1], [0, 1], {"name": "named"}),
    ):
        try:
            live.log_sklearn_plot(kind, labels, predictions, **settings)
        except Exception as error:
            print(kind, type(error).__name__, str(error).rpartition(".")[2])
        else:
            print(kind, "taken")
