"""An exception without a with: nothing more is written.

[dvclive]
exit = 1
"""

from dvclive import Live

live = Live()
live.log_metric("loss", 1)
live.next_step()
live.log_metric("loss", 2)
raise ValueError("the training broke")
