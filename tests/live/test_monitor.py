from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dvclive.monitor_system as theirs
import psutil
import pytest
from training_cases import eventually, start, succeed

from livestream.live import monitor
from livestream.live.error import MissingPackageError
from livestream.live.monitor import GIGABYTE, SystemMonitor

NAMES = [
    "system/cpu/count",
    "system/cpu/usage (%)",
    "system/cpu/parallelization (%)",
    "system/ram/usage (%)",
    "system/ram/usage (GB)",
    "system/ram/total (GB)",
    "system/disk/usage (%)/main",
    "system/disk/usage (GB)/main",
    "system/disk/total (GB)/main",
]


class Logged:
    """What a monitor logged."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, bool]] = []
        self.threads: set[threading.Thread] = set()

    def __call__(self, name: str, value: float, plot: bool) -> None:  # noqa: FBT001 - the monitor's callback
        self.threads.add(threading.current_thread())
        self.rows.append((name, value, plot))

    def values(self, name: str) -> list[float]:
        return [value for found, value, _ in self.rows if found == name]


@pytest.fixture
def logged() -> Logged:
    return Logged()


@pytest.fixture
def watch(logged: Logged) -> Iterator[Callable[..., SystemMonitor]]:
    """Watch with a test's settings; what is begun here ends with the test."""
    begun: list[SystemMonitor] = []

    def watch(
        interval_s: float = 0.01, num_samples: int = 2, directories: dict[str, str] | None = None
    ) -> SystemMonitor:
        begun.append(
            SystemMonitor(logged, interval_s, num_samples, {"main": "/"} if directories is None else directories)
        )
        return begun[-1]

    yield watch
    for each in begun:
        each.end()


def test_the_metrics_are_dvclives_and_what_is_constant_has_no_history(
    watch: Callable[..., SystemMonitor], logged: Logged
) -> None:
    watch()
    eventually(lambda: len(logged.rows) >= 2 * len(NAMES))

    first = logged.rows[: len(NAMES)]

    assert [name for name, _, _ in first] == NAMES
    assert {name for name, _, plot in first if not plot} == {
        name for name in NAMES if "count" in name or "total" in name
    }
    assert set(NAMES) == set(dvclives_names())


def dvclives_names() -> list[str]:
    """What the real one would log; without a GPU it logs nothing, so its reader of GPUs is left out."""
    reader: Any = object.__new__(theirs._SystemMonitor)
    reader._disks_to_monitor = {"main": "/"}
    return [*reader._get_cpu_info(), *reader._get_ram_info(), *reader._get_disk_info()]


def test_values_are_what_psutil_says(watch: Callable[..., SystemMonitor], logged: Logged) -> None:
    watch().end()
    values = {name: value for name, value, _ in logged.rows}

    assert values["system/cpu/count"] == psutil.cpu_count()
    assert values["system/ram/total (GB)"] == pytest.approx(psutil.virtual_memory().total / GIGABYTE)
    assert values["system/ram/usage (GB)"] == pytest.approx(psutil.virtual_memory().used / GIGABYTE, rel=0.5)
    assert values["system/disk/total (GB)/main"] == psutil.disk_usage("/").total / GIGABYTE
    assert values["system/disk/usage (%)/main"] == pytest.approx(psutil.disk_usage("/").percent, abs=5)
    assert 0 <= values["system/cpu/usage (%)"] <= 100
    assert 0 <= values["system/cpu/parallelization (%)"] <= 100
    assert {type(value) for value in values.values()} == {float}


def test_a_value_is_the_mean_of_its_samples_also_where_the_end_cuts_them_short(
    watch: Callable[..., SystemMonitor], logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[str] = []

    def count(path: str) -> SimpleNamespace:
        readings.append(path)
        return SimpleNamespace(percent=len(readings), used=0, total=0)

    monkeypatch.setattr(psutil, "disk_usage", count)
    watching = watch(interval_s=0.05, num_samples=4)
    eventually(lambda: len(readings) == 6)
    watching.end()

    last = range(5, len(readings) + 1)
    assert logged.values("system/disk/usage (%)/main") == [2.5, sum(last) / len(last)]


def test_the_end_logs_the_last_value_and_nothing_comes_after_it(
    watch: Callable[..., SystemMonitor], logged: Logged
) -> None:
    watching = watch(interval_s=0.1, num_samples=30)
    watching.end()
    rows = list(logged.rows)

    assert [name for name, _, _ in rows] == NAMES
    assert not any(thread.is_alive() for thread in logged.threads)
    assert threading.current_thread() not in logged.threads
    watching.end()
    assert logged.rows == rows


def test_an_end_does_not_wait_for_a_disk_that_hangs(
    watch: Callable[..., SystemMonitor], logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "END_WAIT_S", 0.05)
    hanging, go_on = threading.Event(), threading.Event()

    def hang(path: str) -> Any:
        hanging.set()
        go_on.wait(30)
        raise OSError(path)

    monkeypatch.setattr(psutil, "disk_usage", hang)
    watching = watch()
    assert hanging.wait(10)
    watching.end()
    go_on.set()
    watching._thread.join(10)

    assert not watching._thread.is_alive()
    assert logged.rows == []


# -- what cannot be used


@pytest.mark.parametrize(
    ("interval_s", "num_samples"), [(0.1, 20), (0.05, 2), (1.0, 20), (0.05, 0), (0.05, 31), (0.05, -3), (5.0, 100)]
)
def test_limits_and_their_warnings_are_dvclives(
    interval_s: float, num_samples: int, watch: Callable[..., SystemMonitor], caplog: pytest.LogCaptureFixture
) -> None:
    reader: Any = object.__new__(theirs._SystemMonitor)
    with caplog.at_level(logging.WARNING):
        interval = reader._check_interval(interval_s, max_interval=0.1)
        samples = reader._check_num_samples(num_samples, 1, 30)
    said = [record.getMessage() for record in caplog.records]
    caplog.clear()

    watching = watch(interval_s, num_samples)

    assert (watching._interval_s, watching._num_samples) == (interval, samples)
    assert [record.getMessage() for record in caplog.records] == said


@pytest.mark.parametrize("num_samples", [1, 30])
def test_the_limits_themselves_are_no_reason_to_warn(
    num_samples: int, watch: Callable[..., SystemMonitor], caplog: pytest.LogCaptureFixture
) -> None:
    assert watch(num_samples=num_samples)._num_samples == num_samples
    assert caplog.records == []


@pytest.mark.parametrize("interval_s", [0.0, -1.0])
def test_an_interval_of_nothing_does_not_spin(interval_s: float, watch: Callable[..., SystemMonitor]) -> None:
    assert watch(interval_s)._interval_s == monitor.MIN_INTERVAL_S


@pytest.mark.parametrize("name", ["", "a/", "a//b", "./a", "a/../b"])
def test_names_of_directories_that_are_no_names_are_refused_as_dvclive_refuses_them(name: str, logged: Logged) -> None:
    reader: Any = object.__new__(theirs._SystemMonitor)
    with pytest.raises(ValueError) as expected:
        reader._check_directories_to_monitor({name: "/"})

    with pytest.raises(ValueError) as refused:
        SystemMonitor(logged, 0.05, 20, {name: "/"})

    assert str(refused.value) == str(expected.value)


@pytest.mark.parametrize("name", ["..", "../a"])
def test_a_name_that_leaves_the_folder_is_refused(name: str, logged: Logged) -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="valid name"):
        SystemMonitor(logged, 0.05, 20, {name: "/"})
    assert threading.active_count() == before


@pytest.mark.parametrize("name", ["/", "/data", "a b/c"])
def test_names_of_directories_make_dvclives_metrics(
    name: str, watch: Callable[..., SystemMonitor], logged: Logged
) -> None:
    reader: Any = object.__new__(theirs._SystemMonitor)
    reader._disks_to_monitor = {name: "/"}

    watch(directories={name: "/"}).end()

    assert [found for found, _, _ in logged.rows if "disk" in found] == list(reader._get_disk_info())


def test_a_directory_that_is_not_there_is_said_once_and_the_others_are_watched(
    watch: Callable[..., SystemMonitor], logged: Logged, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    watch(directories={"gone": str(tmp_path / "gone"), "main": str(tmp_path)})
    eventually(lambda: len(logged.rows) >= 2 * len(NAMES))

    assert not logged.values("system/disk/usage (%)/gone")
    assert logged.values("system/disk/usage (%)/main")
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"Couldn't find directory '{tmp_path / 'gone'}', ignoring it."]


def test_a_sensor_that_fails_is_said_once_and_the_others_go_on(
    watch: Callable[..., SystemMonitor],
    logged: Logged,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = watch(interval_s=0.02)

    def fail(*, percpu: bool) -> list[float]:
        raise psutil.AccessDenied(1, "cpu")

    monkeypatch.setattr(psutil, "cpu_percent", fail)
    rows = len(logged.rows)
    eventually(lambda: len(logged.rows) >= rows + 3 * len(NAMES))
    watching.end()

    assert [record.getMessage() for record in caplog.records] == ["Failed to monitor CPU metrics"]
    assert logged.rows[-1][0] == NAMES[-1]


def test_a_log_that_fails_ends_the_watch_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    def fail(name: str, value: float, plot: bool) -> None:  # noqa: FBT001 - the monitor's callback
        raise ValueError(name)

    watching = SystemMonitor(fail, 0.001, 1, {})
    watching._thread.join(10)

    assert not watching._thread.is_alive()
    assert [record.getMessage() for record in caplog.records] == ["livestream.monitor_failed"]


def test_without_psutil_it_says_what_to_install(environ: dict[str, str]) -> None:
    said = succeed(
        """
        sys.modules["psutil"] = None
        from livestream.live.error import MissingPackageError
        from livestream.live.monitor import SystemMonitor
        try:
            SystemMonitor(print, 0.05, 20, {"main": "/"})
        except MissingPackageError as error:
            say(error)
        import threading
        say(threading.active_count())
        """,
        environ,
    )

    assert said == f"{MissingPackageError('monitor_system', 'psutil', 'monitor')}\n1\n"


# -- the process


@pytest.mark.parametrize("last_words", ["", "raise SystemExit(3)", "raise RuntimeError('mine')"])
def test_a_process_that_never_ends_the_watch_ends_all_the_same(last_words: str, environ: dict[str, str]) -> None:
    process = start(
        f"""
        import threading
        from livestream.live.monitor import SystemMonitor
        SystemMonitor(lambda *row: None, 0.01, 2, {{"main": "/"}})
        say("begun")
        {last_words}
        """,
        environ,
    )
    _, errors = process.communicate(timeout=30)

    assert process.returncode == {"": 0, "raise SystemExit(3)": 3}.get(last_words, 1)
    assert "mine" in errors if "mine" in last_words else errors == ""


def test_nothing_is_logged_for_other_threads_once_the_main_thread_has_ended(environ: dict[str, str]) -> None:
    said = succeed(
        """
        import threading, time
        from livestream.live.monitor import SystemMonitor
        rows = []
        watching = SystemMonitor(lambda *row: rows.append(row), 0.01, 1, {"main": "/"})
        def outlive():
            threading.main_thread().join()
            watching._thread.join(10)
            say(watching._thread.is_alive(), bool(rows))
        while not rows:
            time.sleep(0.01)
        threading.Thread(target=outlive).start()
        """,
        environ,
    )

    assert said == "False True\n"


def test_a_forked_child_has_no_watch_and_can_end_it(environ: dict[str, str]) -> None:
    said = succeed(
        """
        import threading, time
        from livestream.live.monitor import SystemMonitor
        watching = SystemMonitor(lambda *row: None, 0.01, 1, {"main": "/"})
        child = os.fork()
        if child == 0:
            began = time.monotonic()
            watching.end()
            os._exit(threading.active_count() - 1)
        say(os.waitpid(child, 0)[1], watching._thread.is_alive())
        watching.end()
        """,
        environ | {"PYTHONWARNINGS": "ignore::DeprecationWarning"},  # CPython 3.12 warns of forks beside threads
    )

    assert said == "0 True\n"


def test_the_import_loads_neither_psutil_nor_nvml(environ: dict[str, str]) -> None:
    script = "import livestream.live.monitor\nsay({'psutil', 'pynvml', 'statistics'} & set(sys.modules))"

    assert succeed(script, environ) == "set()\n"


# -- GPUs. They are hardware that this machine has not: a module of ours stands for NVIDIA's, in processes of their own.


NVML = """
import sys, types
nvml = types.ModuleType("pynvml")
class NVMLError(Exception): pass
class NVMLError_LibraryNotFound(NVMLError): pass
class NVMLError_DriverNotLoaded(NVMLError): pass
class NVMLError_NotSupported(NVMLError): pass
nvml.__dict__.update({kind.__name__: kind for kind in (NVMLError, *NVMLError.__subclasses__())})
calls = []
def count(name, result=None):
    def call(*arguments):
        calls.append(name)
        return result(*arguments) if result else None
    setattr(nvml, name, call)
def fail(error):
    raise error
GB = 1024**3
count("nvmlInit")
count("nvmlShutdown")
count("nvmlDeviceGetCount", lambda: 2)
count("nvmlDeviceGetHandleByIndex", lambda index: index)
count("nvmlDeviceGetMemoryInfo", lambda device: types.SimpleNamespace(used=(device + 1) * GB, total=8 * GB))
count("nvmlDeviceGetUtilizationRates", lambda device: types.SimpleNamespace(gpu=90 - 90 * device, memory=45))
sys.modules["pynvml"] = nvml

import logging, time
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from livestream.live.monitor import SystemMonitor
rows = []
def watch():
    watching = SystemMonitor(lambda *row: rows.append(row), 0.001, 2, {"main": "/"})
    while len(rows) < 40:
        time.sleep(0.01)
    watching.end()
def say_gpus():
    shown = dict.fromkeys(row for row in rows if "gpu" in row[0] or "vram" in row[0])
    for row in shown:
        say(*row)
    say(*dict.fromkeys(name for name, _, _ in rows if name.startswith("system/cpu")))
"""
CPU = "system/cpu/count system/cpu/usage (%) system/cpu/parallelization (%)\n"


def test_gpus_are_watched_and_usage_is_the_time_they_were_busy(environ: dict[str, str]) -> None:
    said = succeed(
        f"{NVML}\nwatch()\nsay_gpus()\nsay(calls.count('nvmlInit'), calls[-1], calls.count('nvmlShutdown'))", environ
    )

    assert said == (
        "system/gpu/count 2.0 False\n"
        "system/gpu/usage (%)/0 90.0 True\n"
        "system/vram/usage (%)/0 12.5 True\n"
        "system/vram/usage (GB)/0 1.0 True\n"
        "system/vram/total (GB)/0 8.0 False\n"
        "system/gpu/usage (%)/1 0.0 True\n"
        "system/vram/usage (%)/1 25.0 True\n"
        "system/vram/usage (GB)/1 2.0 True\n"
        "system/vram/total (GB)/1 8.0 False\n"
        f"{CPU}"
        "1 nvmlShutdown 1\n"
    )


def test_a_reading_that_a_gpu_refuses_is_said_once_and_its_others_are_logged(environ: dict[str, str]) -> None:
    refuse = "count('nvmlDeviceGetUtilizationRates', lambda device: fail(NVMLError_NotSupported('no')))"
    said = succeed(f"{NVML}\n{refuse}\nwatch()\nsay_gpus()", environ)

    assert said.count("Failed to monitor GPU metrics") == 1
    assert "\nsystem/gpu/usage" not in said
    assert said.endswith(f"system/vram/total (GB)/1 8.0 False\n{CPU}")


@pytest.mark.parametrize("error", ["NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded"])
def test_a_machine_without_a_driver_has_its_cpu_watched_without_a_word(error: str, environ: dict[str, str]) -> None:
    said = succeed(f"{NVML}\ncount('nvmlInit', lambda: fail({error}()))\nwatch()\nsay_gpus()\nsay(*calls)", environ)

    assert said == f"{CPU}nvmlInit\n"


def test_a_driver_in_trouble_is_said_once_and_the_cpu_is_watched(environ: dict[str, str]) -> None:
    said = succeed(
        f"{NVML}\ncount('nvmlInit', lambda: fail(NVMLError('odd')))\nwatch()\nsay_gpus()\nsay(*calls)", environ
    )

    assert said.count("Failed to monitor GPU metrics") == 1
    assert said.endswith(f"{CPU}nvmlInit\n")


def test_without_nvidias_package_the_rest_is_watched(environ: dict[str, str]) -> None:
    said = succeed(
        NVML.replace('sys.modules["pynvml"] = nvml', 'sys.modules["pynvml"] = None') + "watch()\nsay_gpus()", environ
    )

    assert said == CPU


def test_with_nvidias_real_package_and_no_driver_dvclive_logs_nothing_and_we_do(
    watch: Callable[..., SystemMonitor], logged: Logged
) -> None:
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        reader: Any = object.__new__(theirs._SystemMonitor)
        reader._disks_to_monitor = {"main": "/"}
        with pytest.raises(pynvml.NVMLError):
            reader._get_metrics()
    watch().end()

    assert logged.values("system/cpu/count") == [psutil.cpu_count()]
