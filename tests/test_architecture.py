from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from livestream.config import VARIABLES
from livestream.options import PARENT_RUN

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "livestream"
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
STEERS_TESTS = {"LIVESTREAM_CI", "LIVESTREAM_CRASH_ROUNDS", "LIVESTREAM_CRASH_SEED"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in FILES:
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_the_layers_and_what_each_side_may_import_hold() -> None:
    checked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert " 0 broken" in checked.stdout


def test_no_file_is_longer_than_a_room() -> None:
    long = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {name: lines for name, lines in long.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_a_look() -> None:
    long = {
        f"{name}:{function.name}": lines
        for name, tree in trees()
        for function in functions(tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1 - docstring_lines(function)) > MAX_FUNCTION_LINES
    }

    assert long == {}


def docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(function) is None:
        return 0
    return (function.body[0].end_lineno or 0) - function.body[0].lineno + 1


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name, tree in trees() if not ast.get_docstring(tree)]

    assert [name for name in silent if not name.endswith("__init__.py")] == []  # a package's name says what it is


def test_nothing_speaks_of_the_machine_it_was_written_on() -> None:
    home = re.compile(r"/work/|/root/|/home/(?!me\b|user\b)\w")
    told = {
        str(path.relative_to(PROJECT)): found.group()
        for folder in ("livestream", "docs", "benchmarks")
        for path in sorted((PROJECT / folder).rglob("*"))
        if path.suffix in {".py", ".md", ".toml"} and (found := home.search(path.read_text(encoding="utf-8")))
    }

    assert told == {}


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES if variable.name.startswith("LIVESTREAM_")])
def test_every_variable_of_ours_is_in_the_documentation(name: str) -> None:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]

    assert any(re.search(rf"\b{name}\b", page.read_text(encoding="utf-8")) for page in pages if page.is_file())


def test_every_variable_of_ours_that_the_package_names_is_a_declared_one() -> None:
    named = {name for path in FILES for name in re.findall(r"\bLIVESTREAM_[A-Z_]+[A-Z]\b", path.read_text("utf-8"))}

    assert named - {variable.name for variable in VARIABLES} - STEERS_TESTS == {PARENT_RUN}
