"""Parameters that come as pairs, and as a mapping of somebody's own.

place = "plain"
"""

from collections import UserDict

from dvclive import Live

with Live() as live:
    for params in ([("a", 1), ("b", 2)], UserDict(c=3), {}):
        try:
            live.log_params(params)
        except Exception as error:
            print(type(error).__name__, error)
