from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_runs_as_it_stands(example: str, tmp_path: Path) -> None:
    environ = os.environ | {
        "HOME": str(tmp_path),
        "LIVESTREAM_SPOOL": str(tmp_path / "spool"),
        "LIVESTREAM_DAEMON": "off",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYTHONWARNINGS": "error",
    }
    ran = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def test_the_two_commands_stand_on_the_first_screen() -> None:
    first_screen = "\n".join(README.splitlines()[:32])

    assert "python -m pip install . && livestream demo" in first_screen
    assert "python -m pip install '.[dev]' && python -m pytest" in first_screen
