"""What memory does a training need through an outage of its Studio under `Live`, beside DVCLive?

The Studio has answered the start and hangs from then on, the training logs 10 metrics a step without a pause, ours with
a daemon that tries to deliver. Resident memory of the training's process, at some steps. DVCLive's grows with the
square of the steps (1.1 GB after 800), so it is bound to 300. Ours takes some 2 MB more while its buffers are used for
the first time, so it is held to two spans: that of DVCLive, and a long one from then on.
"""

from __future__ import annotations

import sys
from typing import Final

from benchmarks.harness import Cell, Figure, Options, Report, figure, run
from benchmarks.live import Stand, parser_with_peer, stands
from benchmarks.server import serving

QUESTION: Final = str(__doc__).partition("\n")[0]
AT: Final = {"livestream": (100, 300, 3_000, 30_000), "dvclive": (100, 300)}
QUICK_AT: Final = {"livestream": (100, 300, 1_000, 3_000), "dvclive": (100, 300)}
SPANS: Final = ((0, 1), (2, 3))
"""Between which of these steps growth is looked at; DVCLive has the first span only."""
FLAT: Final = 1.1


def measure(options: Options, report: Report) -> None:
    rows: list[tuple[Cell | Figure, ...]] = []
    rounds = min(options.rounds, 3)
    for who, stand in stands(options, report).items():
        at = (QUICK_AT if options.quick else AT)[stand.library]
        found = [resident_mb(stand, at) for _ in range(rounds)]
        rows += [(f"{who}, step {step:,}", figure([one[step] for one in found])) for step in at]
        for begin, end in SPANS if who == "Live" else SPANS[:1]:
            steps = f"step {at[end]:,} / step {at[begin]:,}"
            grown = figure([one[at[end]] / one[at[begin]] for one in found])
            rows.append((f"{who}: {steps}", grown))
            if who == "Live":
                report.at_most(f"resident memory at {steps}", grown.median, FLAT)
    report.table("resident memory in an outage, MB", ("", "MB"), rows)


def resident_mb(stand: Stand, at: tuple[int, ...]) -> dict[int, float]:
    """Resident memory by step."""
    with serving("stall") as server:
        told = Stand(stand.library, stand.python, server.url).do("outage", at=at)
        if told["refused"]:
            raise SystemExit(f"the queue is not whole: {told['refused']}")
        return {int(step): size / 1e6 for step, size in told["resident"].items()}


def main() -> int:
    return run(QUESTION, measure, parser_with_peer())


if __name__ == "__main__":
    sys.exit(main())
