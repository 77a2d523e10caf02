"""resume=True: a second process goes on where the first one ended.

times = 2
ask = ["metrics", "params", "plots"]
"""

import os

from dvclive import Live
from PIL import Image

time = os.environ["PARITY_TIME"]
with Live(resume=True, save_dvc_exp=False) as live:
    print(live.step, live.summary, live.read_step())
    live.log_param(f"of_time_{time}", time)
    for _ in range(3):
        live.log_metric("loss", live.step / 10)
        live.log_metric(f"only/{time}", live.step)
        live.log_image(f"samples/{live.step}.png", Image.new("L", (4, 4), live.step))
        live.next_step()
    live.summary["ended"] = time
