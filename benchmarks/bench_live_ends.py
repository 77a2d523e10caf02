"""How long does a `Live` take to construct and to end, and to end while its Studio hangs, beside DVCLive?

The hanging Studio has answered the start, and takes what comes then without an answer (one that hangs from the start on
has DVCLive give up, and then it sends nothing at all). ``save_dvc_exp`` is False there. DVCLive waits 5 s for each step
that it has not delivered, so it gets three; ours gets 100, and a daemon of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Final

from benchmarks.harness import Cell, Figure, Options, Report, figure, run, scratch
from benchmarks.live import Stand, parser_with_peer, stands, take_turns
from benchmarks.server import serving
from benchmarks.training import daemon_stopped_after
from livestream.events import JsonObject

QUESTION: Final = str(__doc__).partition("\n")[0]
BOUND_S: Final = 1.0
STEPS: Final = {"livestream": 100, "dvclive": 3}
LEAD_S: Final = 1.5
"""Enough for a daemon to start and to post."""
PARTS: Final = ("construct", "first step", "end")


def measure(options: Options, report: Report) -> None:
    found = stands(options, report)
    measure_life(options, report, found)
    rows: list[tuple[Cell | Figure, ...]] = []
    for who, stand in found.items():
        rounds = [hung(stand) for _ in range(options.rounds if who == "Live" else 1)]
        ends, exits = ([one[key] for one in rounds] for key in ("end_s", "exit_s"))
        rows.append((f"{who}, {STEPS[stand.library]} steps", figure(ends), figure(exits), len(rounds)))
        if who == "Live":
            report.at_most(f"end() with a Studio that hangs, slowest of {len(ends)}, s", max(ends), BOUND_S)
            report.at_most("the same to the end of the process, s", max(exits), BOUND_S)
    report.table("a Studio that hangs, s", ("", "end()", "to the end of the process", "rounds"), rows)


def measure_life(options: Options, report: Report, found: Mapping[str, Stand]) -> None:
    """Compare what a run of one step costs that knows no Studio."""
    rows: list[tuple[Cell | Figure, ...]] = []
    for saves in (False, True):
        rounds = take_turns(found, min(options.rounds, 3), "life", save_dvc_exp=saves)
        for who, each in rounds.items():
            rows.append(
                (f"{who}, save_dvc_exp={saves}", *(figure([one[part] / 1e6 for one in each]) for part in PARTS))
            )
    report.table("a run of one step, ms", ("", *PARTS), rows)


def hung(stand: Stand) -> JsonObject:
    """End a run whose Studio hangs; give seconds."""
    with scratch() as folder, serving("stall") as server, daemon_stopped_after(folder / "spool"):
        with_studio = Stand(stand.library, stand.python, server.url)
        told = with_studio.do_in(folder, "hung", steps=STEPS[stand.library], lead_s=LEAD_S)
        ended = time.monotonic()
        if server.tally().requests < 2:
            raise SystemExit("no request was in flight, so nothing was shown")
    return {"end_s": told["ended"] - told["began"], "exit_s": ended - told["began"]}


def main() -> int:
    return run(QUESTION, measure, parser_with_peer())


if __name__ == "__main__":
    sys.exit(main())
