"""Numbers, texts and booleans, and what each looks like in the files.

place = "plain"
"""

from dvclive import Live

VALUES = {
    "int": 3,
    "negative": -7,
    "big": 2**62,
    "float": 0.1 + 0.2,
    "small": 1e-300,
    "whole": 2.0,
    "huge": 1.5e300,
    "bool": True,
    "false": False,
    "text": "warmup",
    "empty": "",
    "zero": 0,
    "minus_zero": -0.0,
}


class Count(int):
    """A number of somebody's own."""


with Live() as live:
    for name, value in VALUES.items():
        live.log_metric(name, value)
    live.log_metric("subclass", Count(4))
    live.next_step()
    for name, value in VALUES.items():
        live.log_metric(name, value)
    print(live.summary)
