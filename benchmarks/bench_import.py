"""How long does `import livestream` take a training, beside the libraries it cannot do without?

Each import is a fresh process, with compiled modules in its cache; the figure is the process's whole time, so a bare
``pass`` stands beside them. ``ready`` also loads what the first `emit` loads.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from typing import Final

from benchmarks.harness import Options, Report, figure, interleave, quiet_environment, run

QUESTION: Final = str(__doc__).partition("\n")[0]
SCRIPTS: Final = {
    "pass": "pass",
    "import livestream": "import livestream",
    "livestream, ready": "import livestream; livestream.init; livestream.emit",
    "sqlite3 + orjson + msgspec": "import sqlite3, orjson, msgspec, msgspec.json",
    "aiohttp": "import aiohttp",
}
REPEATS: Final = 5
FORBIDDEN: Final = ("aiohttp", "aiosqlite", "watchfiles", "asyncio", "click", "numpy", "PIL")


def process_ms(script: str) -> float:
    """Time one process; the quickest of a few, as everything else that happens only adds."""
    return min(_once(script) for _ in range(REPEATS))


def _once(script: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], env=CACHED, check=True)
    return (time.perf_counter() - began) * 1000


CACHED: Final = {name: value for name, value in quiet_environment().items() if name != "PYTHONDONTWRITEBYTECODE"}


def modules_of(script: str) -> list[str]:
    """List the modules that a script has loaded."""
    told = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport sys; print(*sys.modules)"],
        env=CACHED,
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout.split()


def measure(options: Options, report: Report) -> None:
    found = interleave({name: partial(process_ms, script) for name, script in SCRIPTS.items()}, options.rounds)
    bare = figure(found["pass"]).median
    rows = [
        (name, figure(rounds), figure(rounds).median - bare, len(modules_of(SCRIPTS[name])))
        for name, rounds in found.items()
    ]
    report.table("a process that imports and ends, ms", ("", "whole", "more than pass", "modules"), rows)
    loaded = set(modules_of(SCRIPTS["livestream, ready"]))
    heavy = [name for name in FORBIDDEN if name in loaded]
    report.note(f"Loaded by a training that should not be: {', '.join(heavy) or 'nothing'}.")
    report.at_most("modules that a training must not load", len(heavy), 0)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
