"""A run that is begun again without an end, as in a notebook whose cell is executed twice.

ask = ["experiments"]
"""

from dvclive import Live

first = Live(exp_name="first-time")
first.log_metric("loss", 1)
first.log_metric("only_first", 1)
first.next_step()
second = Live(exp_name="second-time")
second.log_metric("loss", 2)
second.next_step()
second.end()
