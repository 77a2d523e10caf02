"""Watches the machine from a thread of its own: CPU, memory, disks, GPUs, as metrics below ``system/``.

A sample is taken each ``interval_s`` seconds, and the mean of ``num_samples`` of them is logged, under DVCLive's names.
Each kind of reading fails by itself: DVCLive reads the GPU first and nothing else where that fails, so on a machine
with nvidia-ml-py (which it requires) and without NVIDIA's driver it logs nothing at all. A GPU's usage is the share of
time in which it was busy, which NVML calls ``utilization.gpu``; DVCLive logs the ratio of memory traffic to it.

The thread is a daemon and also stops by itself once the main thread has ended, so that it keeps no dead process alive.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias

from livestream.live.error import MissingPackageError

logger = logging.getLogger("livestream")

MAX_INTERVAL_S: Final = 0.1
MIN_INTERVAL_S: Final = 0.001
MAX_SAMPLES: Final = 30
ACTIVE_PERCENT: Final = 20
"""A CPU that is busy for so much of the time counts as used, for ``parallelization``."""
END_WAIT_S: Final = 1.0
"""How long ``end`` waits for the last row; a disk that hangs must not hold up the end of a training."""

GIGABYTE: Final = 1024.0**3

Nvml: TypeAlias = Any
"""The module ``pynvml`` of nvidia-ml-py."""

Readings: TypeAlias = Mapping[str, float]
Log: TypeAlias = Callable[[str, float, bool], None]
"""Takes a metric's name, its value, and whether it has a history."""

_CONSTANT: Final = (
    "system/cpu/count",
    "system/ram/total (GB)",
    "system/disk/total (GB)",
    "system/gpu/count",
    "system/vram/total (GB)",
)
"""What needs no history."""


class SystemMonitor:
    """Samples the machine until ``end``."""

    def __init__(self, log: Log, interval_s: float, num_samples: int, directories: Mapping[str, str]) -> None:
        """Begin at once.

        Args:
            log: Takes what was measured; called from the monitor's thread.
            interval_s: Seconds between samples.
            num_samples: Samples that make one value.
            directories: Names to folders: the disks they are on are watched.

        Raises:
            ValueError: A name in ``directories`` is no plain name.
            MissingPackageError: psutil is not installed.
        """
        self._log = log
        self._interval_s = _checked_interval(interval_s)
        self._num_samples = _checked_samples(num_samples)
        disks = Disks(_checked_names(directories))
        self._sensors: tuple[Sensor, ...] = (Gpus(), Processors(), Memory(), disks)
        self._failed: set[str] = set()
        self._ending = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._watch, name="livestream-monitor", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Log what was sampled since the last value, and stop; after this returns nothing is logged."""
        self._ending.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(END_WAIT_S)
        self._abandoned = True

    def _watch(self) -> None:
        try:
            while True:
                self._log_all(self._samples())
                if self._ending.is_set() or not _main_thread_lives():
                    return
        except Exception:
            logger.exception("livestream.monitor_failed")
        finally:
            for sensor in self._sensors:
                sensor.close()

    def _samples(self) -> list[Readings]:
        samples: list[Readings] = []
        while len(samples) < self._num_samples:
            last = self._ending.wait(self._interval_s)
            samples.append(self._sample())
            if last or not _main_thread_lives():
                break
        return samples

    def _sample(self) -> Readings:
        readings: dict[str, float] = {}
        for sensor in self._sensors:
            try:
                readings |= sensor.read()
            except Exception:
                if sensor.kind not in self._failed:
                    self._failed.add(sensor.kind)
                    logger.exception("Failed to monitor %s metrics", sensor.kind)
        return readings

    def _log_all(self, samples: list[Readings]) -> None:
        for name in dict.fromkeys(name for sample in samples for name in sample):
            if self._abandoned or not _main_thread_lives():
                return
            values = [sample[name] for sample in samples if name in sample]
            self._log(name, sum(values) / len(values), not name.startswith(_CONSTANT))


class Sensor(Protocol):
    """Reads one kind of thing."""

    kind: str

    def read(self) -> Readings:
        """Give what it is at this moment, by metric."""

    def close(self) -> None:
        """Let go of what reading needed."""


class _Psutils:
    """What reads by psutil."""

    def __init__(self) -> None:
        try:
            import psutil  # noqa: PLC0415 - an extra, for runs that watch the machine
        except ImportError as error:
            raise MissingPackageError("monitor_system", "psutil", "monitor") from error
        self._psutil = psutil

    def close(self) -> None:
        """Nothing is held."""


class Processors(_Psutils):
    """How busy the CPUs were since the last reading, and how many of them."""

    kind = "CPU"

    def __init__(self) -> None:
        super().__init__()
        self._psutil.cpu_percent(percpu=True)  # its first answer is about no time at all: 0 %

    def read(self) -> Readings:
        """Read it."""
        count = self._psutil.cpu_count()
        percents = self._psutil.cpu_percent(percpu=True)
        active = sum(percent >= ACTIVE_PERCENT for percent in percents)
        return {
            "system/cpu/count": count,
            "system/cpu/usage (%)": sum(percents) / len(percents),
            "system/cpu/parallelization (%)": active * 100 / count,
        }


class Memory(_Psutils):
    """How much memory is used."""

    kind = "RAM"

    def read(self) -> Readings:
        """Read it."""
        memory = self._psutil.virtual_memory()
        return {
            "system/ram/usage (%)": memory.percent,
            "system/ram/usage (GB)": memory.used / GIGABYTE,
            "system/ram/total (GB)": memory.total / GIGABYTE,
        }


class Disks(_Psutils):
    """How full the disks of some folders are."""

    kind = "disk"

    def __init__(self, directories: Mapping[str, str]) -> None:
        super().__init__()
        self._directories = dict(directories)
        self._missed: set[str] = set()

    def read(self) -> Readings:
        """Read it; a folder that is not there is said once."""
        readings: dict[str, float] = {}
        for name, directory in self._directories.items():
            try:
                disk = self._psutil.disk_usage(directory)
            except OSError:
                if name not in self._missed:
                    self._missed.add(name)
                    logger.warning("Couldn't find directory '%s', ignoring it.", directory)
                continue
            readings[f"system/disk/usage (%)/{name}".rstrip("/")] = disk.percent
            readings[f"system/disk/usage (GB)/{name}".rstrip("/")] = disk.used / GIGABYTE
            readings[f"system/disk/total (GB)/{name}".rstrip("/")] = disk.total / GIGABYTE
        return readings


class Gpus:
    """How busy NVIDIA's GPUs are and how full their memory, by NVML; nothing where there is no GPU or no package.

    A device may refuse one reading (parts of a divided GPU have no usage) and give the other.
    """

    kind = "GPU"

    def __init__(self) -> None:
        self._devices: list[Any] | None = None  # until the first reading: opening NVML can take a second
        self._refused = False
        self._nvml: Nvml | None = None
        with suppress(ImportError):
            import pynvml  # noqa: PLC0415 - an extra, for runs that watch the machine

            self._nvml = pynvml

    def read(self) -> Readings:
        """Read it."""
        nvml = self._nvml
        if nvml is None:
            return {}
        if self._devices is None:
            self._devices = self._open(nvml)
        if not self._devices:
            return {}
        readings: dict[str, float] = {"system/gpu/count": len(self._devices)}
        for index, device in enumerate(self._devices):
            for read in (_gpu_usage, _gpu_memory):
                try:
                    readings |= read(nvml, device, index)
                except nvml.NVMLError:
                    if not self._refused:
                        self._refused = True
                        logger.warning("Failed to monitor GPU metrics", exc_info=True)
        return readings

    def close(self) -> None:
        """Let go of NVML."""
        if self._nvml is not None and self._devices:
            self._nvml.nvmlShutdown()

    def _open(self, nvml: Nvml) -> list[Any]:
        try:
            nvml.nvmlInit()
            return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):  # nothing is wrong: there is no GPU
            return []
        except nvml.NVMLError:
            logger.exception("Failed to monitor GPU metrics")
            return []


def _gpu_usage(nvml: Nvml, device: object, index: int) -> Readings:
    return {f"system/gpu/usage (%)/{index}": nvml.nvmlDeviceGetUtilizationRates(device).gpu}


def _gpu_memory(nvml: Nvml, device: object, index: int) -> Readings:
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    return {
        f"system/vram/usage (%)/{index}": 100 * memory.used / memory.total,
        f"system/vram/usage (GB)/{index}": memory.used / GIGABYTE,
        f"system/vram/total (GB)/{index}": memory.total / GIGABYTE,
    }


def _main_thread_lives() -> bool:
    return threading.main_thread().is_alive()


def _checked_interval(interval_s: float) -> float:
    if interval_s > MAX_INTERVAL_S:
        logger.warning(
            "System monitoring `interval` should be less than %s seconds. Setting `interval` to %s seconds.",
            MAX_INTERVAL_S,
            MAX_INTERVAL_S,
        )
        return MAX_INTERVAL_S
    return max(interval_s, MIN_INTERVAL_S)


def _checked_samples(num_samples: int) -> int:
    if 1 <= num_samples <= MAX_SAMPLES:
        return num_samples
    nearest = min(max(num_samples, 1), MAX_SAMPLES)
    logger.warning(
        "System monitoring `num_samples` should be between 1 and %s. Setting `num_samples` to %s.", MAX_SAMPLES, nearest
    )
    return nearest


def _checked_names(directories: Mapping[str, str]) -> Mapping[str, str]:
    for name in directories:
        if name != os.path.normpath(name) or os.pardir in name.split(os.sep):
            raise ValueError(f"Keys for `directories_to_monitor` should be a valid name, but got '{name}'.")
    return directories
