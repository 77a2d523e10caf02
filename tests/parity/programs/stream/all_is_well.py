"""A run that the real dvclive streams well: the same rows, images, summary and parameters arrive.

ask = []

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/nothing.tsv: (0, nan) (1, nan) (2, nan)
dvclive/plots/metrics/train/loss.tsv: (0, 1) (1, 0.5) (2, 0.333333333333333)
dvclive/plots/images/samples/0.png: (step 0: 0)
dvclive/plots/images/samples/1.png: (step 1: 1)
dvclive/plots/images/samples/2.png: (step 2: 2)
dvclive/metrics.json: {"train": {"loss": 0.3333333333333333}, "nothing": "nan", "step": 2}
dvclive/params.yaml: {"lr": 0.1}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/nothing.tsv: (0, nan) (1, nan) (2, nan)
dvclive/plots/metrics/train/loss.tsv: (0, 1) (1, 0.5) (2, 0.333333333333333)
dvclive/plots/images/samples/0.png: (step 0: 0)
dvclive/plots/images/samples/1.png: (step 1: 1)
dvclive/plots/images/samples/2.png: (step 2: 2)
dvclive/metrics.json: {"train": {"loss": 0.3333333333333333}, "nothing": "nan", "step": 2}
dvclive/params.yaml: {"lr": 0.1}
'''
"""

from dvclive import Live
from PIL import Image

with Live(exp_name="well", save_dvc_exp=False) as live:
    live.log_param("lr", 0.1)
    for step in range(3):
        live.log_metric("train/loss", 1 / (step + 1))
        live.log_metric("nothing", float("nan"))
        live.log_image(f"samples/{step}.png", Image.new("L", (2, 2), step))
        live.next_step()
