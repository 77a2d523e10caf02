"""An image in a folder without Git and DVC, whose repository a variable names.

row = "Images outside of a DVC project"
place = "plain"

[dvclive]
warns = ["WARNING:`post_to_studio` `data` failed.", "WARNING:`post_to_studio` `data` failed.", "WARNING:`post_to_studio` `data` failed."]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
'''

[livestream]
warns = []
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 0) (1, 1)
dvclive/plots/images/sample.png: (step 1: 10)
dvclive/metrics.json: {"loss": 1, "step": 1}
'''
"""

from dvclive import Live
from PIL import Image

with Live(exp_name="outside", save_dvc_exp=False) as live:
    for step in range(2):
        live.log_metric("loss", step)
        live.log_image("sample.png", Image.new("L", (2, 2), 10 * step))
        live.next_step()
