"""Parameters of every type that YAML holds.

ask = ["params", "experiments"]
"""

import datetime
from collections import OrderedDict

from dvclive import Live

with Live() as live:
    live.log_param("int", 3)
    live.log_param("float", 1e-4)
    live.log_param("text", "adam")
    live.log_param("bool", True)
    live.log_param("nothing", None)
    live.log_param("list", [1, 2.5, "x", None, [True]])
    live.log_param("dict", {"a": {"b": [1, {"c": 2}]}})
    live.log_param("ordered", OrderedDict(z=1, a=2))
    live.log_params({"nested/name": 1, "many": 2, "": "empty", "yes": "no", "1": 1, "tuple": (1, 2)})
    live.log_param("day", datetime.date(2026, 1, 2))
    live.log_param("moment", datetime.datetime(2026, 1, 2, 3, 4, 5))
    live.log_param("set", {1})
    live.log_param("lines", "one\ntwo\n")
    live.log_param("long", "word " * 60)
    live.log_param("unicode", "ünï ☃ \u2028 \t")
    live.log_param("quoted", 'it\'s: "so" # no comment')
    live.log_param("inf", float("inf"))
    live.log_param("nan", float("nan"))
    live.log_param("int", 4)
    live.next_step()
