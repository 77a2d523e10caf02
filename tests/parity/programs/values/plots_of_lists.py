"""Custom plots of lists of dictionaries, with every setting.

ask = ["plots"]
"""

from dvclive import Live

with Live() as live:
    points = [{"x": number, "y": number**2, "z": -number, "kind": "a"} for number in range(5)]
    live.log_plot("curve", points, x="x", y="y")
    live.log_plot("several", points, x="x", y=["y", "z"], template="simple", title="Both", x_label="ex", y_label="why")
    live.log_plot("scattered", points, "x", "y", "scatter", "Title")
    live.log_plot("no_template", points, x="x", y="y", template=None)
    live.log_plot("empty_template", points, x="x", y="y", template="")
    live.log_plot("with.json", points, x="x", y="y")
    live.log_plot("in/a/folder", points, x="x", y="y")
    live.log_plot("empty", [], x="x", y="y")
    live.log_plot("texts", [{"x": "ünï", "y": None}, {"x": "b", "y": True}], x="x", y="y")
    live.next_step()
    live.log_plot("curve", [{"x": 1, "y": 2}], x="y", y="x", title="the first call's settings stay")
    live.next_step()
