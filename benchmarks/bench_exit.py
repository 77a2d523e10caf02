"""How long does a training whose Studio hangs take to end?

The Studio takes connections and bodies and never answers. The training emits 100 steps with a daemon of its own
(``daemon="auto"``), sleeps until the daemon has a request in flight, and ends. Measured is the time from its last line
to the end of its process: `end()`, Python's own shutdown, and nothing else. Beside it: the same process without
livestream; and both, and DVCLive where it is given, with a Studio that answers after 2 s. (One that never does has
DVCLive give up at its start, and then it sends nothing at all.)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.harness import Options, Report, figure, interleave, run, scratch
from benchmarks.peers import run_dvclive, why_missing
from benchmarks.server import Mode, serving
from benchmarks.training import daemon_stopped_after, environment

QUESTION: Final = str(__doc__).partition("\n")[0]
BOUND_S: Final = 0.5
STEPS: Final = 100
DVCLIVE_STEPS: Final = 5
LEAD_S: Final = 1.5
"""Enough for a daemon to start and to post."""

OURS: Final = f"""
import sys, time
import livestream
run = livestream.init("exit", spool=sys.argv[1])
for step in range({STEPS}):
    run.emit({{"loss": 1 / (1 + step)}})
time.sleep({LEAD_S})
print(time.monotonic(), flush=True)
run.end()
"""
DEFAULT: Final = OURS.replace("run.end()\n", "")
NOTHING: Final = "import time; print(time.monotonic(), flush=True)"
AT_ONCE: Final = OURS.replace(f"time.sleep({LEAD_S})\n", "")


def exit_s(script: str, mode: Mode = "hang") -> float:
    """Run a training; give the seconds from its last line to its end."""
    with scratch() as folder, serving(mode) as server, daemon_stopped_after(folder / "spool"):
        command = [sys.executable, "-c", script, str(folder / "spool")]
        done = subprocess.run(command, env=environment(server.url), stdout=subprocess.PIPE, check=True)
        seconds = time.monotonic() - float(done.stdout)
        if script in {OURS, DEFAULT} and not server.tally().requests:
            raise SystemExit("no request was in flight, so nothing was shown")
        return seconds


def dvclive_exit_s(python: Path) -> float:
    """Do the same with DVCLive, and a slow Studio."""
    with scratch() as folder, serving("slow") as server:
        return run_dvclive(python, folder / "repository", server.url, DVCLIVE_STEPS).exit_s


def measure(options: Options, report: Report) -> None:
    ours = {
        "end()": partial(exit_s, OURS),
        "end() at once": partial(exit_s, AT_ONCE),
        "left to the exit": partial(exit_s, DEFAULT),
        "end(), slow Studio": partial(exit_s, OURS, "slow"),
        "no livestream": partial(exit_s, NOTHING),
    }
    found = interleave(ours, options.rounds)
    rows = [(name, figure(rounds), len(rounds)) for name, rounds in found.items()]
    missing = why_missing(options.rest.dvclive_python)
    if missing is None:
        seconds = dvclive_exit_s(options.rest.dvclive_python)
        rows.append((f"DVCLive, {DVCLIVE_STEPS} steps, slow Studio", figure([seconds]), 1))
    report.table("from the last line to the end of the process, s", ("", "seconds", "rounds"), rows)
    if missing is not None:
        report.note(missing)
    for name in ("end()", "end() at once", "left to the exit"):
        report.at_most(f"{name}: slowest of {len(found[name])}, s", max(found[name]), BOUND_S)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dvclive-python", type=Path, metavar="PYTHON", help="of an environment with dvclive")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
