"""A run in which nothing happens.

ask = ["experiments"]
"""

from dvclive import Live

with Live():
    pass
