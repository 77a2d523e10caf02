from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_cases import ROOT, Cli

from livestream.testing import FakeStudio


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Give a short path for sockets: pytest's own are too long for them."""
    with tempfile.TemporaryDirectory(prefix="ls-") as folder:
        yield Path(folder)


@pytest.fixture
def cli(tmp_path: Path, runtime: Path) -> Iterator[Cli]:
    """Give the command line in an environment of its own: nothing of the machine's settings has a part in it."""
    work = tmp_path / "work"
    work.mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "DVC_SYSTEM_CONFIG_DIR": str(tmp_path / "config"),
        "XDG_RUNTIME_DIR": str(runtime),
        "LIVESTREAM_SPOOL": str(tmp_path / "spool"),
    }
    case = Cli(environ, work)
    yield case
    case.close()


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio("livestream") as running:
        yield running


@pytest.fixture(scope="session")
def python() -> str:
    subprocess.run([sys.executable, "-c", "import livestream"], check=True, cwd=ROOT)
    return sys.executable
