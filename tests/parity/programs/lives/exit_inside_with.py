"""sys.exit inside a with.

[dvclive]
exit = 3
"""

import sys

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
    live.next_step()
    sys.exit(3)
