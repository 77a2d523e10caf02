"""Two runs at once in one process, each in a folder of its own.

ask = ["metrics", "plots"]
"""

from dvclive import Live

first, second = Live(dir="first", save_dvc_exp=False), Live(dir="second", save_dvc_exp=False)
for step in range(2):
    first.log_metric("loss", step)
    second.log_metric("loss", 10 * step)
    second.log_param("of", "second")
    first.next_step()
    second.next_step()
first.end()
second.end()
