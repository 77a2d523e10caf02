"""scikit-learn refuses the labels: what dvc.yaml says of the plot that there is not.

row = "A plot that could not be made"
place = "plain"
differs = ["dvc.yaml", "dvclive/plots/", "dvclive/plots/sklearn/"]

[dvclive]
says = '''
ValueError
TypeError
True False
'''

[livestream]
says = '''
ValueError
TypeError
False False
'''
"""

from pathlib import Path

from dvclive import Live

with Live() as live:
    for labels, settings in (([0], {}), ([0, 1], {"no_such": 1})):
        try:
            live.log_sklearn_plot("det", labels, [0.1, 0.9], **settings)
        except Exception as error:
            print(type(error).__name__)
    live.make_dvcyaml()
    print("det.json" in Path("dvc.yaml").read_text(), Path("dvclive/plots/sklearn/det.json").exists())
