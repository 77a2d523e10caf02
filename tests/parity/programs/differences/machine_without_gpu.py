"""monitor_system on a machine where NVIDIA's package is installed and no GPU is.

row = "A machine without a GPU"
place = "plain"

[dvclive]
says = '''
[]
'''
warns = [
    "ERROR:Failed to monitor GPU metrics"
]

[livestream]
says = '''
['cpu', 'disk', 'ram']
'''
warns = []
"""

import sys
import tempfile
import time
from types import ModuleType

gpu = ModuleType("pynvml")
gpu.NVMLError = type("NVMLError", (Exception,), {})
gpu.NVMLError_LibraryNotFound = gpu.NVMLError_DriverNotLoaded = type("NVMLErrorOfNone", (gpu.NVMLError,), {})
gpu.nvmlDeviceGetCount = gpu.nvmlDeviceGetHandleByIndex = gpu.nvmlShutdown = None
gpu.nvmlDeviceGetMemoryInfo = gpu.nvmlDeviceGetUtilizationRates = None


def refuse():
    raise gpu.NVMLError_LibraryNotFound("NVML Shared Library Not Found")


gpu.nvmlInit = refuse
sys.modules["pynvml"] = gpu

from dvclive import Live  # noqa: E402 - the library has to be there first

with Live(dir=tempfile.mkdtemp(), dvcyaml=None, save_dvc_exp=False) as live:
    live.monitor_system(interval=0.01, num_samples=2)
    deadline = time.monotonic() + 1
    while "system" not in live.summary and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
print(sorted(live.summary.get("system", {})))
