"""The comparison itself: what is planted on one side has to be found, whatever it is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from agreement import assert_as_listed, assert_same
from program import Expected, Program
from world import World

PREFACE = """
import json, logging, os, pathlib, subprocess, sys, warnings
home = pathlib.Path.home()
ours = "livestream" in sys.modules
logger = logging.getLogger("livestream" if ours else "dvclive")
pathlib.Path("same").write_text("same")
"""
PLANTED = {  # what differs, and what is planted
    "content": 'pathlib.Path("content").write_text(str(ours))',
    "mode": 'pathlib.Path("mode").touch(0o600 if ours else 0o644)',
    "link": 'os.symlink("same" if ours else "other", "link")',
    "only": 'ours or pathlib.Path("only").touch()',
    "folder/": 'ours and pathlib.Path("folder").mkdir()',
    "deep/.dvc/tmp/exps/run/DVCLIVE_ONLY": """
folder = pathlib.Path("deep/.dvc/tmp/exps/run")
folder.mkdir(parents=True)
(folder / "DVCLIVE_ONLY").write_text(json.dumps({"exp_name": "a" if ours else "b"}))""",
    "../home/.config/left": 'ours and (home / ".config" / "left").touch()',
    "../left": 'ours and pathlib.Path("../left").touch()',
    "says": "print(ours)",
    "warns": 'logger.warning("one" if ours else "other")',
    "exits": "sys.exit(3 if ours else 4)",
    "ends": 'raise RuntimeError("one" if ours else "other")',
    "git:references": 'ours and subprocess.run(["git", "tag", "planted"], check=True)',
    "git:config": 'ours and subprocess.run(["git", "config", "planted.by", "us"], check=True)',
}


def program_of(folder: Path, text: str) -> Program:
    path = folder / "planted.py"
    path.write_text(PREFACE + text)
    return Program(path=path, about="planted", place="git")


@pytest.mark.parametrize("name", PLANTED)
def test_what_one_side_alone_does_is_found(name: str, world: World, tmp_path: Path) -> None:
    outcomes = world.run(program := program_of(tmp_path, PLANTED[name]))

    with pytest.raises(AssertionError, match=rf"(?m)^== {re.escape(name)}$"):
        assert_same(program, outcomes)


@pytest.mark.parametrize(
    "text", ['warnings.warn("one" if ours else "other")', 'ours or warnings.warn("later", FutureWarning)']
)
def test_warnings_of_python_are_found(text: str, world: World, tmp_path: Path) -> None:
    outcomes = world.run(program := program_of(tmp_path, text))

    with pytest.raises(AssertionError, match=r"(?m)^== warns$"):
        assert_same(program, outcomes)


def test_what_both_do_is_none_and_may_not_be_listed(world: World, tmp_path: Path) -> None:
    outcomes = world.run(program := program_of(tmp_path, 'print("same")'))

    assert_same(program, outcomes)
    with pytest.raises(AssertionError, match="listed as different, but equal"):
        assert_same(msgspec.structs.replace(program, differs=["same"]), outcomes)


@pytest.mark.parametrize(
    "expected",
    [Expected(says="other\n"), Expected(exit=1), Expected(warns=["WARNING:none"])],
    ids=["says", "exit", "warns"],
)
def test_what_a_program_says_of_one_side_is_held_to_it(expected: Expected, world: World, tmp_path: Path) -> None:
    program = msgspec.structs.replace(program_of(tmp_path, 'print("same")'), livestream=expected)

    with pytest.raises(AssertionError):
        assert_as_listed(program, world.run(program))
