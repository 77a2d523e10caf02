"""More metrics than a request may have plots, and an image.

row = "More than 200 metrics"

[dvclive]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
200 series
'''

[livestream]
arrives = '''
experiment 1 of git@example.com:team/project.git: done
203 series
dvclive/plots/images/sample.png: (step 0: 7)
'''
"""

from dvclive import Live
from PIL import Image

with Live(exp_name="many", save_dvc_exp=False) as live:
    for number in range(203):
        live.log_metric(f"metric{number:03}", number)
    live.log_image("sample.png", Image.new("L", (2, 2), 7))
    live.next_step()
