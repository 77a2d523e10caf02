"""A GPU that is busy for 80 % of the time, with memory traffic for 20 % of it.

row = "A GPU's usage"
place = "plain"

[dvclive]
says = '''
25.0
'''

[livestream]
says = '''
80.0
'''
"""

import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

gpu = ModuleType("pynvml")  # NVIDIA's library, as on a machine with one GPU
gpu.NVMLError = type("NVMLError", (Exception,), {})
gpu.NVMLError_LibraryNotFound = gpu.NVMLError_DriverNotLoaded = type("NVMLErrorOfNone", (gpu.NVMLError,), {})
gpu.nvmlInit = gpu.nvmlShutdown = lambda: None
gpu.nvmlDeviceGetCount = lambda: 1
gpu.nvmlDeviceGetHandleByIndex = lambda index: index
gpu.nvmlDeviceGetMemoryInfo = lambda device: SimpleNamespace(used=2**30, total=2**32)
gpu.nvmlDeviceGetUtilizationRates = lambda device: SimpleNamespace(gpu=80, memory=20)
sys.modules["pynvml"] = gpu

from dvclive import Live  # noqa: E402 - the library has to be there first

with Live(dir=tempfile.mkdtemp(), dvcyaml=None, save_dvc_exp=False) as live:
    live.monitor_system(interval=0.01, num_samples=2)
    deadline = time.monotonic() + 20
    while "gpu" not in live.summary.get("system", {}) and time.monotonic() < deadline:
        time.sleep(0.01)
first = Path(live.plots_dir, "metrics/system/gpu/usage (%)/0.tsv").read_text().splitlines()[1]
print(float(first.split("\t")[-1]))
