"""How long does `from livestream import Live` take a training, and its first use, beside DVCLive's?

Each is a fresh process, with compiled modules in its cache; the figure is the process's whole time, so a bare ``pass``
stands beside them. First use: construct in a DVC and Git repository, log a metric, `next_step`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.harness import Options, Report, figure, interleave, ratio, run, scratch
from benchmarks.live import Stand, environment, make_repository, parser_with_peer, stands

QUESTION: Final = str(__doc__).partition("\n")[0]
REPEATS: Final = 3
FASTER: Final = 5.0
HEAVY: Final = {"aiohttp", "asyncio", "click", "dvc", "matplotlib", "numpy", "pandas", "PIL", "psutil", "sklearn"}
FORBIDDEN: Final = {"import": HEAVY | {"ruamel"}, "first use": HEAVY}
"""Packages that must not be loaded; the first use writes a dvc.yaml, which takes ruamel.yaml."""
SCRIPTS: Final = {
    "import": "from {library} import Live",
    "first use": (
        "from {library} import Live; live = Live(save_dvc_exp=False); live.log_metric('loss', 0.5); live.next_step();"
        "import os; os._exit(0)"
    ),
}


def process_ms(python: str, script: str, folder: Path, env: Mapping[str, str]) -> float:
    """Time one process; the quickest of a few, as everything else that happens only adds."""
    return min(_once(python, script, folder, env) for _ in range(REPEATS))


def _once(python: str, script: str, folder: Path, env: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([python, "-P", "-c", script], cwd=folder, env=env, check=True)
    return (time.perf_counter() - began) * 1000


def modules_of(stand: Stand, script: str, folder: Path, env: Mapping[str, str]) -> list[str]:
    """List the modules that a script has loaded."""
    telling = script.replace("import os; os._exit(0)", "") + "\nimport sys; print(*sys.modules, sep=chr(10))"
    done = subprocess.run([stand.python, "-P", "-c", telling], cwd=folder, env=env, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().splitlines()


def measure(options: Options, report: Report) -> None:
    found = stands(options, report)
    with scratch() as folder:
        env = {name: value for name, value in environment(folder, None).items() if name != "PYTHONDONTWRITEBYTECODE"}
        repository = folder / "repository"
        make_repository(repository, env)
        scripts = {
            f"{what}: {who}": (stand, script.format(library=stand.library))
            for what, script in SCRIPTS.items()
            for who, stand in found.items()
        }
        turns = {
            name: partial(process_ms, each.python, script, repository, env) for name, (each, script) in scripts.items()
        }
        turns["pass"] = partial(process_ms, sys.executable, "pass", repository, env)
        rounds = interleave(turns, options.rounds)
        loaded = {name: modules_of(*each, repository, env) for name, each in scripts.items()}
    bare = figure(rounds["pass"]).median
    rows = [
        (name, figure(taken), figure(taken).median - bare, len(loaded[name]) if name in loaded else None)
        for name, taken in rounds.items()
    ]
    report.table("a process that does so and ends, ms", ("", "whole", "more than pass", "modules"), rows)
    for what, forbidden in FORBIDDEN.items():
        heavy = sorted(forbidden & set(loaded[f"{what}: Live"]))
        report.note(f"{what}: loaded although it should not be: {', '.join(heavy) or 'nothing'}.")
        report.at_most(f"{what}: modules that must not be loaded", len(heavy), 0)
    if "DVCLive" in found:
        for what in SCRIPTS:
            compared = ratio(rounds[f"{what}: DVCLive"], rounds[f"{what}: Live"]).median
            report.at_least(f"{what}: whole process, DVCLive / Live", compared, FASTER)


def main() -> int:
    return run(QUESTION, measure, parser_with_peer())


if __name__ == "__main__":
    sys.exit(main())
