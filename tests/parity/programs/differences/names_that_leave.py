"""Names with "..", absolute ones, empty ones, and what is no text.

row = "Names that leave the folder"
place = "plain"
differs = ["absolute.tsv", "run/escaped.*", "run/matrix.json", "run/dvclive/*"]

[dvclive]
says = '''
taken
taken
taken
taken
taken
TypeError
taken
taken
taken
'''

[livestream]
says = '''
InvalidNameError
taken
InvalidNameError
InvalidNameError
InvalidNameError
InvalidNameError
InvalidNameError
InvalidNameError
InvalidNameError
'''
"""

import os

from dvclive import Live
from PIL import Image

picture = Image.new("L", (2, 2))
with Live(dir="run/dvclive", dvcyaml=None) as live:
    for log in (
        lambda: live.log_metric("../../../escaped", 1.0),
        lambda: live.log_metric("inside/../up", 1.0),
        lambda: live.log_metric(os.path.abspath("absolute"), 1.0),
        lambda: live.log_metric("", 1.0),
        lambda: live.log_metric("/", 1.0, plot=False),
        lambda: live.log_metric(1, 2),
        lambda: live.log_image("../../../escaped.png", picture),
        lambda: live.log_plot("../../../escaped", [{"x": 1, "y": 1}], x="x", y="y"),
        lambda: live.log_sklearn_plot("confusion_matrix", [1], [1], name="../../../matrix"),
    ):
        try:
            log()
        except Exception as error:
            print(type(error).__name__)
        else:
            print("taken")
