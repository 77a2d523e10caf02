"""NaN and infinities that the program writes into the summary by itself.

row = "NaN and infinities in `summary` and in plots"
place = "plain"
differs = ["dvclive/metrics.json"]

[dvclive]
says = '''
NaN is no JSON
'''

[livestream]
says = '''
{'loss': 0.5, 'best': 'nan', 'levels': {'worst': 'inf', 'least': ['-inf']}}
'''
"""

import json
from pathlib import Path

from dvclive import Live


def refuse(text):
    raise ValueError(f"{text} is no JSON")


with Live() as live:
    live.log_metric("loss", 0.5)
    live.summary["best"] = float("nan")
    live.summary["levels"] = {"worst": float("inf"), "least": [float("-inf")]}
try:
    print(json.loads(Path("dvclive/metrics.json").read_text(), parse_constant=refuse))
except ValueError as error:
    print(error)
