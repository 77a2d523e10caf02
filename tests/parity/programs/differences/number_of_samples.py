"""monitor_system with the lowest and the highest number of samples that its documentation allows.

row = "`num_samples` of 1 and of 30"
place = "plain"

[dvclive]
warns = [
    "WARNING:System monitoring `num_samples` should be between 1 and 30. Setting `num_samples` to 1.",
    "WARNING:System monitoring `num_samples` should be between 1 and 30. Setting `num_samples` to 30."
]

[livestream]
warns = []
"""

import sys
import tempfile

sys.modules["pynvml"] = None  # no GPU here

from dvclive import Live  # noqa: E402 - as above

with Live(dir=tempfile.mkdtemp(), dvcyaml=None, save_dvc_exp=False) as live:
    live.monitor_system(num_samples=1)
    live.monitor_system(num_samples=30)
