"""A worker that was forked logs, too: its rows are in the files, its summary is its own.

place = "plain"
"""

import os

from dvclive import Live

with Live() as live:
    live.log_metric("parent", 1)
    pid = os.fork()
    if pid == 0:
        live.log_metric("child", 2)
        live.log_metric("parent", 3)
        os._exit(0)
    os.waitpid(pid, 0)
    live.log_metric("parent", 4)
    live.next_step()
    print(live.summary)
