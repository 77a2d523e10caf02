"""The first threshold of a ROC curve is infinite by definition.

row = "The first threshold of `roc`"
ask = ["plots"]
differs = ["dvclive/plots/sklearn/roc.json", "$ dvc plots diff --json"]

[dvclive]
says = '''
Infinity is no JSON
'''

[livestream]
says = '''
{'fpr': 0.0, 'tpr': 0.0, 'threshold': 'inf'}
'''
"""

import json
from pathlib import Path

from dvclive import Live


def refuse(text):
    raise ValueError(f"{text} is no JSON")


with Live(save_dvc_exp=False) as live:
    live.log_sklearn_plot("roc", [0, 0, 1, 1], [0.1, 0.5, 0.4, 0.8])
    live.log_metric("loss", 1)
try:
    print(json.loads(Path("dvclive/plots/sklearn/roc.json").read_text(), parse_constant=refuse)["roc"][0])
except ValueError as error:
    print(error)
