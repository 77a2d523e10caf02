"""Numpy's numbers in a custom plot, as a table or an array that is not all of float64 has them.

row = "numpy's numbers in a custom plot"
place = "plain"
differs = ["dvclive/plots/custom/curve.json", "dvclive/plots/custom/whole.json"]

[dvclive]
says = '''
Object of type int64 is not JSON serializable
Object of type int64 is not JSON serializable
curve.json is no JSON
whole.json is no JSON
'''

[livestream]
says = '''
curve.json [{'x': 1, 'y': 0.5}]
whole.json [{'0': 1, '1': 2}, {'0': 3, '1': 4}]
'''
"""

import json
from pathlib import Path

import numpy as np
from dvclive import Live

with Live() as live:
    for name, points in (
        ("curve", [{"x": np.int64(1), "y": np.float32(0.5)}]),
        ("whole", np.array([[1, 2], [3, 4]])),
    ):
        try:
            live.log_plot(name, points, x="x", y="y")
        except TypeError as error:
            print(error)
    for path in sorted(Path("dvclive/plots/custom").glob("*.json")):
        try:
            print(path.name, json.loads(path.read_text()))
        except ValueError:
            print(path.name, "is no JSON")
