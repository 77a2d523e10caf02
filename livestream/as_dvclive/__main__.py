"""``python -m livestream.as_dvclive script.py [arguments]``: python, whose ``dvclive`` is ours.

This process becomes ``python script.py [arguments]``, so that everything is as python has it: ``__main__``, tracebacks,
exit codes, signals. Only ``PYTHONPATH`` is another: in front stands a folder with a ``dvclive`` that puts ours in its
place (``path/dvclive``). What the script starts inherits it.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Final

from livestream.as_dvclive.finder import DISTRIBUTION_PATH, is_installed

_MODULE: Final = "livestream.as_dvclive"
_PATH: Final = str(Path(__file__).with_name("path"))
_USAGE: Final = f"usage: python [options] -m {_MODULE} (script.py | -m module | -c code | -) [arguments]"


def main(arguments: list[str]) -> int:
    """Become a python that runs a program.

    Args:
        arguments: As after ``python [options]``.

    Returns:
        The exit code, where there is nothing to become.
    """
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"-m", "-c", "-"}):
        print(_USAGE, file=sys.stderr)  # noqa: T201 - a command
        return 2
    if sys.flags.ignore_environment:
        print(f"{_MODULE}: needs PYTHONPATH, which python ignores with -E and -I", file=sys.stderr)  # noqa: T201 - as above
        return 2
    ours = [_PATH] if is_installed() else [_PATH, DISTRIBUTION_PATH]
    os.environ["PYTHONPATH"] = _in_front(ours, os.environ.get("PYTHONPATH"))
    options = _options(sys.orig_argv[1:], arguments)
    if options is not None:
        os.execv(sys.executable, [sys.executable, *options, *arguments])  # noqa: S606 - what the user asks for
    sys.path[1:1] = ours  # a program has called us by runpy, and this process is its own
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")
    return 0


def _options(words: list[str], arguments: list[str]) -> list[str] | None:
    """Give python's words before our name, without the ``-m`` that names us; none where they do not name us.

    There may be more than options: of ``python -m pdb -m livestream.as_dvclive script.py`` stays ``-m pdb``.
    """
    before, rest = words[: -len(arguments)], words[-len(arguments) :]
    if rest != arguments or not before or not before[-1].endswith(_MODULE):
        return None
    flags = before.pop().removesuffix(_MODULE) or before.pop()
    if not (flags.startswith("-") and flags.endswith("m")):  # "-m", or what is written together: "-um"
        return None
    return before if flags == "-m" else [*before, flags[:-1]]


def _in_front(ours: list[str], python_path: str | None) -> str:
    others = python_path.split(os.pathsep) if python_path else []  # an empty part is the working folder
    return os.pathsep.join([*ours, *(part for part in others if part not in ours)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
