"""An image that is logged after its step was sent: by sync, and after the last next_step.

row = "Images that come after their step was sent"

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1) (1, 2)
dvclive/metrics.json: {"loss": 2, "step": 1}
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
dvclive/plots/metrics/loss.tsv: (0, 1) (1, 2)
dvclive/plots/images/late.png: (step 1: 7)
dvclive/metrics.json: {"loss": 2, "step": 1}
'''
"""

import time

from dvclive import Live
from PIL import Image

with Live(exp_name="late", save_dvc_exp=False) as live:
    live.log_metric("loss", 1)
    live.next_step()
    live.log_metric("loss", 2)
    live.sync()
    time.sleep(1)  # so that the real one's thread has an answer
    live.log_image("late.png", Image.new("L", (2, 2), 7))
    live.next_step()
