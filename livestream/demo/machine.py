"""How busy the machine is, from Linux's ``/proc``, under the names that DVCLive's ``monitor_system`` uses."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CPU: Final = Path("/proc/stat")
_MEMORY: Final = Path("/proc/meminfo")
_IDLE: Final = slice(3, 5)
"""Of the times in the first line of ``/proc/stat``: ``idle`` and ``iowait``."""
_COUNTED: Final = 8
"""Times of that line that make up the whole; ``guest`` and ``guest_nice`` after them are in ``user`` already."""
_KIB_IN_GB: Final = 1024.0**2
"""DVCLive's gigabytes are powers of 1,024."""


class Meter:
    """Reads how much of the processors was used since the last reading, and of the memory now."""

    def __init__(self) -> None:
        self._total, self._idle = _processor_ticks()

    def read(self) -> dict[str, float]:
        """Give metrics by name; shares in per cent, sizes in GB."""
        total, idle = _processor_ticks()
        passed = total - self._total
        busy = 1.0 - (idle - self._idle) / passed if passed else 0.0
        self._total, self._idle = total, idle
        memory = _memory_kib()
        used = memory["MemTotal"] - memory["MemAvailable"]
        return {
            "system/cpu/usage (%)": round(100.0 * min(max(busy, 0.0), 1.0), 2),
            "system/ram/usage (%)": round(100.0 * used / memory["MemTotal"], 2),
            "system/ram/usage (GB)": round(used / _KIB_IN_GB, 3),
        }


def _processor_ticks() -> tuple[int, int]:
    """Read the kernel's clock ticks since it booted: all of them, and those in which nothing was to do."""
    with _CPU.open(encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1 : _COUNTED + 1]]
    return sum(ticks), sum(ticks[_IDLE])


def _memory_kib() -> dict[str, int]:
    lines = _MEMORY.read_text(encoding="ascii").splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
