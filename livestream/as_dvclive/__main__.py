"""``python -m livestream.as_dvclive script.py [arguments]``, or ``-m module [arguments]``: as python runs it."""

from __future__ import annotations

import os
import runpy
import sys

from livestream.as_dvclive import install_as_dvclive
from livestream.as_dvclive.finder import CHILDREN_PATH, for_children

_USAGE = "usage: python -m livestream.as_dvclive (script.py | -m module) [arguments]"


def main(arguments: list[str]) -> int:
    """Run a script or module whose ``dvclive`` is ours, in it and in the python processes that it starts.

    Args:
        arguments: As after ``python``; other options of python's stand before ``-m livestream.as_dvclive``.

    Returns:
        The exit code, where the script does not end by itself.
    """
    as_module = arguments[:1] == ["-m"]
    program = arguments[as_module : as_module + 1]
    if not program or program[0].startswith("-"):
        print(_USAGE, file=sys.stderr)  # noqa: T201 - a command
        return 2
    script = program[0]
    if not as_module and not os.path.exists(script):
        print(f"livestream.as_dvclive: can't open file {os.path.abspath(script)!r}", file=sys.stderr)  # noqa: T201 - as above
        return 2
    install_as_dvclive()
    os.environ["PYTHONPATH"] = for_children(os.environ.get("PYTHONPATH"))
    sys.path.insert(0 if sys.flags.safe_path else 1, CHILDREN_PATH)  # a spawned worker gets this path, not PYTHONPATH
    sys.argv = arguments[as_module:]
    if as_module:
        runpy.run_module(script, run_name="__main__", alter_sys=True)
    else:
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(script))  # where python -m has the working folder
        runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
