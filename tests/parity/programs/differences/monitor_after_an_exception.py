"""A training with monitor_system ends by an exception, without a with.

row = "The monitor's thread after an exception"
place = "plain"
bound_s = 15

[dvclive]
exit = "killed"

[livestream]
exit = 1
"""

import sys
import tempfile

sys.modules["pynvml"] = None  # no GPU here

from dvclive import Live  # noqa: E402 - as above

live = Live(dir=tempfile.mkdtemp(), dvcyaml=None, save_dvc_exp=False, monitor_system=True)
raise RuntimeError("the training broke")
