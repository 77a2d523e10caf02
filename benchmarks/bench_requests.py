"""How many requests does a training that ran offline need to reach the Studio: 50 steps of 10 metrics, and 1,000 steps?

The training runs with DVC_STUDIO_OFFLINE; then ``livestream sync`` delivers. DVCLive, where it is given, runs online,
because it keeps nothing for later: it was measured at 104 requests for the 50 steps.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from benchmarks.harness import Cell, Figure, Options, Report, run, scratch
from benchmarks.peers import run_dvclive, why_missing
from benchmarks.server import Tally, serving
from benchmarks.training import environment, record_backlog, run_watched

QUESTION: Final = str(__doc__).partition("\n")[0]
BOUNDS: Final = {50: 3, 1_000: 5}


def sync(steps: int) -> tuple[Tally, float]:
    """Record offline, then deliver; give what the server counted and how long the command took."""
    with scratch() as folder, serving("fake") as server:
        spool = folder / "spool"
        record_backlog(spool, server.url, steps, offline=True)
        usage = run_watched(["sync", str(spool)], environment(server.url))
        tally = server.tally()
    if usage.exit_code or tally.problems:
        raise SystemExit(f"not delivered: exit code {usage.exit_code}, {tally.problems} problems")
    return tally, usage.wall_s


def dvclive(python: Path, steps: int) -> Tally:
    """Count the requests of DVCLive."""
    with scratch() as folder, serving("bare") as server:
        run_dvclive(python, folder / "repository", server.url, steps)
        return server.tally()


def measure(options: Options, report: Report) -> None:
    missing = why_missing(options.rest.dvclive_python)
    rows: list[tuple[Cell | Figure, ...]] = []
    for steps, bound in BOUNDS.items():
        tally, wall_s = sync(steps)
        rows.append((f"livestream, {steps:,} steps", tally.requests, tally.bytes, wall_s))
        report.at_most(f"requests for {steps:,} steps", tally.requests, bound)
        if missing is None and (steps < 1000 or not options.quick):
            theirs = dvclive(options.rest.dvclive_python, steps)
            rows.append((f"DVCLive, {steps:,} steps", theirs.requests, theirs.bytes, None))
    report.table("requests", ("", "requests", "bytes", "sync s"), rows)
    if missing is not None:
        report.note(missing)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dvclive-python", type=Path, metavar="PYTHON", help="of an environment with dvclive")
    return run(QUESTION, measure, parser)


if __name__ == "__main__":
    sys.exit(main())
