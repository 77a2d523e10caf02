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

import logging
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
from waiting import until  # noqa: E402 - as above

refused = []  # what DVCLive says once; it measures nothing then
logging.getLogger("dvclive").addFilter(lambda record: refused.append(record) or True)
with Live(dir=tempfile.mkdtemp(), dvcyaml=None, save_dvc_exp=False) as live:
    live.monitor_system(interval=0.01, num_samples=2)
    until(lambda: "system" in live.summary or refused)
    time.sleep(0.2)  # for what follows upon the first
print(sorted(live.summary.get("system", {})))
