"""Datapoints that are no points.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    for points in (None, 1, "text", {"x": 1}, ({"x": 1},), [1], [{"x": 1}, 2], [[1, 2]], iter([])):
        try:
            live.log_plot("name", points, x="x", y="y")
        except Exception as error:
            print(type(error).__name__, str(error))
    for arguments in ((), ("x",)):
        try:
            live.log_plot("name", [], *arguments)
        except TypeError as error:
            print(type(error).__name__, str(error).rpartition(".")[2])
