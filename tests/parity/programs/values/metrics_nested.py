"""Levels of names, and what becomes of odd slashes.

place = "plain"
"""

from dvclive import Live

with Live() as live:
    for name in ("a/b/c/d", "a/b/e", "a//double", "./dotted", "trailing/", "x/./y", "step_time"):
        try:
            live.log_metric(name, 1.5)
        except Exception as error:
            print(name, type(error).__name__, error)
    live.next_step()
    live.log_metric("a/b/c/d", 2.5)
    print(live.summary)
