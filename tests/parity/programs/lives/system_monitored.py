"""monitor_system: the names of what is measured (the values are the machine's), on a machine with a GPU.

place = "plain"
"""

import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

gpu = ModuleType("pynvml")  # NVIDIA's library, as on a machine that has one GPU; it is idle
gpu.NVMLError = type("NVMLError", (Exception,), {})
gpu.NVMLError_LibraryNotFound = gpu.NVMLError_DriverNotLoaded = type("NVMLErrorOfNone", (gpu.NVMLError,), {})
gpu.nvmlInit = gpu.nvmlShutdown = lambda: None
gpu.nvmlDeviceGetCount = lambda: 1
gpu.nvmlDeviceGetHandleByIndex = lambda index: index
gpu.nvmlDeviceGetMemoryInfo = lambda device: SimpleNamespace(used=2**30, total=2**32)
gpu.nvmlDeviceGetUtilizationRates = lambda device: SimpleNamespace(gpu=0, memory=0)
sys.modules["pynvml"] = gpu

from dvclive import Live  # noqa: E402 - the library has to be there first

with Live(dir=tempfile.mkdtemp(), dvcyaml=None, save_dvc_exp=False) as live:
    live.monitor_system(interval=0.01, num_samples=2, directories_to_monitor={"main": "/", "gone": "/no/such/folder"})
    folder = Path(live.plots_dir, "metrics")
    deadline = time.monotonic() + 20
    while "vram" not in live.summary.get("system", {}) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
print(sorted(str(path.relative_to(folder)) for path in folder.rglob("*.tsv")))
for kind, values in sorted(live.summary["system"].items()):
    print(kind, sorted(values))
for name in ("cpu/usage (%)", "disk/usage (GB)/main", "gpu/usage (%)/0"):
    print((folder / f"system/{name}.tsv").read_text().splitlines()[0])
