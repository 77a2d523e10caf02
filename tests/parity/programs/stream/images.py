"""An image that each step overwrites, while the Studio is slow.

row = "Images are those of their own step"
studio = ["taken", "late"]

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 1) (2, 2) (3, 3)
dvclive/plots/images/sample.png: (step 0: 0) (step 1: 30) (step 2: 30) (step 3: 30)
dvclive/metrics.json: {"loss": 3, "step": 3}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 1) (2, 2) (3, 3)
dvclive/plots/images/sample.png: (step 3: 30)
dvclive/metrics.json: {"loss": 3, "step": 3}
'''
"""

from dvclive import Live
from PIL import Image
from waiting import studio_met

with Live(exp_name="images", save_dvc_exp=False) as live:
    for step in range(4):
        live.log_metric("loss", step)
        live.log_image("sample.png", Image.new("L", (2, 2), 10 * step))
        live.next_step()
        studio_met(posts=2)  # the first picture is read by then; the others wait for the late answer
