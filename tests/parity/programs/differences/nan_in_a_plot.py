"""NaN and infinities in a custom plot.

row = "NaN and infinities in `summary` and in plots"
place = "plain"
differs = ["dvclive/plots/custom/curve.json"]

[dvclive]
says = '''
NaN is no JSON
'''

[livestream]
says = '''
[{'x': 1, 'y': 'nan'}, {'x': 2, 'y': '-inf'}]
'''
"""

import json
from pathlib import Path

from dvclive import Live


def refuse(text):
    raise ValueError(f"{text} is no JSON")


with Live() as live:
    live.log_plot("curve", [{"x": 1, "y": float("nan")}, {"x": 2, "y": float("-inf")}], x="x", y="y")
try:
    print(json.loads(Path("dvclive/plots/custom/curve.json").read_text(), parse_constant=refuse))
except ValueError as error:
    print(error)
