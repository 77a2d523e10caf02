"""A program that changes its folder in mid-run: names are relative to where it is.

place = "plain"
"""

import os

from dvclive import Live

live = Live()
live.log_metric("loss", 1)
live.next_step()
os.mkdir("elsewhere")
os.chdir("elsewhere")
live.log_metric("other", 2)
live.next_step()
live.end()
