"""Values from several threads, a metric each.

place = "plain"
"""

import threading

from dvclive import Live

with Live() as live:

    def log(name):
        for value in range(200):
            live.log_metric(name, value)

    threads = [threading.Thread(target=log, args=[f"thread{number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.summary = dict(sorted(live.summary.items()))
