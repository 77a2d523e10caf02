from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from agreement import assert_as_listed
from program import PROGRAMS, Program, programs_of, read
from world import ROOT, World

PAGE = (ROOT / "docs" / "dvclive.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("program", programs_of("differences"), ids=lambda program: program.name)
def test_a_listed_difference_is_there_and_no_other(program: Program, world: World) -> None:
    assert_as_listed(program, world.run(program))


def test_the_table_lists_what_programs_show_and_nothing_else() -> None:
    section = PAGE.partition("## What differs")[2].partition("\n## ")[0]
    listed = [cell.strip() for cell in re.findall(r"^\|([^|]+)\|", section, re.MULTILINE)][2:]  # without its head
    shown = {program.row for program in map(read, PROGRAMS.rglob("*.py")) if program.row}

    assert sorted(listed) == sorted(shown)


def test_only_programs_with_a_row_differ() -> None:
    assert [program.name for program in map(read, PROGRAMS.rglob("*.py")) if program.differs and not program.row] == []


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_of_the_page_run_as_they_stand(example: str, environ: dict[str, str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], cwd=tmp_path, env=environ, capture_output=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
