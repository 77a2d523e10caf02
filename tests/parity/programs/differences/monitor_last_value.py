"""A run that ends when the first of 29 samples is taken: the memory of its GPU is 4 GB.

row = "The monitor's last value"
place = "plain"

[dvclive]
says = '''
False
'''

[livestream]
says = '''
True
'''
"""

import sys
import tempfile
import time
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
    live.monitor_system(interval=0.1, num_samples=29)
    time.sleep(0.05)
deadline = time.monotonic() + 20
while "vram" not in live.summary.get("system", {}) and time.monotonic() < deadline:
    time.sleep(0.01)
time.sleep(0.1)
print(live.summary["system"]["vram"]["total (GB)"]["0"] == 4)
