"""What every test gets: an environment that holds nothing of the machine's, and a spool of its own."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from livestream.config import VARIABLES
from livestream.options import PARENT_RUN

ROOT = Path(__file__).resolve().parent.parent

_KEPT = {"PATH", "HOME", "GIT_DIR", "GIT_WORK_TREE"}
_CLEARED = {variable.name for variable in VARIABLES} - _KEPT | {PARENT_RUN}
_CLEARED_PREFIXES = ("DVC_", "STUDIO_", "SLURM_", "OMPI_", "PMI", "TORCHELASTIC_")
_TAKING_LONG = ("integrations", "parity", "end_to_end", "crash", "studio_clients", "browser", "cli")


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start also where a shell runs them in the background: it has SIGINT ignored there."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run two workers a core, as most tests wait for processes; single files run in this process, without any."""
    if not any(Path(argument).is_dir() for argument in config.args):
        return 0
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take long, mostly waiting: the quick ones fill what is left at the end."""

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return _TAKING_LONG.index(folder) if folder in _TAKING_LONG else len(_TAKING_LONG)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Take out what decides about runs; nothing that a test sets or ``init`` leaves reaches the next one.

    LIVESTREAM_CI and LIVESTREAM_CRASH_* steer the tests themselves, and stay.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="livestream-home-") as home:
        for name in before:
            if name in _CLEARED or name.startswith(_CLEARED_PREFIXES):
                del os.environ[name]
        os.environ.update(_away_from_the_user(Path(home)))
        os.environ["LIVESTREAM_SIGNALS"] = "off"
        yield
    os.environ.clear()
    os.environ.update(before)


def _away_from_the_user(home: Path) -> dict[str, str]:
    folders = {"XDG_CONFIG_HOME": home / "config", "XDG_STATE_HOME": home / "state", "XDG_CONFIG_DIRS": home / "system"}
    return {name: str(folder) for name, folder in folders.items()} | {"LIVESTREAM_DAEMON": "off"}


@pytest.fixture(autouse=True, scope="session")
def untouched_checkout() -> Iterator[None]:
    """Let no test's Live make a DVC project of this checkout: `dvc init` even stages it."""
    yield
    assert not (ROOT / ".dvc").exists(), "a test has used the checkout as its working folder"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool's path; the folder is made by whoever opens it."""
    return tmp_path / "spool"


@pytest.fixture
def environ(spool: Path, tmp_path: Path) -> dict[str, str]:
    """The whole environment for a subprocess that trains: this spool, no daemon, this checkout."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "PYTHONUNBUFFERED": "1",
        "LIVESTREAM_SPOOL": str(spool),
        "LIVESTREAM_DAEMON": "off",
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count no skipped check as passed: under LIVESTREAM_CI a missing part of the machine is a failure."""
    report = yield
    if os.environ.get("LIVESTREAM_CI") == "1" and report.skipped and call.excinfo is not None:
        report.outcome = "failed"
        report.longrepr = f"skipped, which .ci/run takes for a failure: {call.excinfo.value}"
    return report
