"""What does an image of 256 x 256 a step cost the training thread under `Live`, beside DVCLive?

Between two steps the training computes, in Python, so that it holds the GIL: that is the worst case for an encoder in
another thread. Each image is a gradient with some noise, in colours, as PNG, under a name of its own.

    calls     time in `log_image` and `next_step`
    own       processor time of the training thread in these
    loop      how much longer the loop took than the same loop without logging: also what a busy encoder takes away
    all       the same with `end()`, after which all files are there
    cpu       processor time of all threads beyond that of the loop alone

At 20 ms a step the encoder keeps up; at 5 ms it does not, and the training waits for it in the end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Final

from benchmarks.harness import Cell, Figure, Options, Report, figure, interleave, quantile, ratio, run
from benchmarks.live import parser_with_peer, stands
from livestream.events import JsonObject

QUESTION: Final = str(__doc__).partition("\n")[0]

STEPS: Final = 100
NOISE: Final = 32
LOOPS_A_MS: Final = 18_000
"""What `_compute` does in a millisecond, about; what it really took stands in the table."""
PACES_MS: Final = (20, 5)
PROMISED_MS: Final = PACES_MS[0]
CHEAPER: Final = 5.0


def measure(options: Options, report: Report) -> None:
    found = stands(options, report)
    steps = STEPS // 4 if options.quick else STEPS
    for pace_ms in PACES_MS:
        order = {"steps": steps, "loops": pace_ms * LOOPS_A_MS, "noise": NOISE}
        turns = {who: partial(stand.do, "images", logs=1, **order) for who, stand in found.items()}
        turns["nothing"] = partial(found["Live"].do, "images", logs=0, **order)
        _show(report, pace_ms, steps, interleave(turns, min(options.rounds, 3)))


def _show(report: Report, pace_ms: int, steps: int, rounds: dict[str, list[JsonObject]]) -> None:
    bare = rounds.pop("nothing")
    costs = {who: _costs(each, bare, steps) for who, each in rounds.items()}
    rows: list[tuple[Cell | Figure, ...]] = []
    for who, cost in costs.items():
        tail = quantile([taken / 1e6 for one in rounds[who] for taken in one["calls"]], 0.99)
        rows.append((who, *(figure(each) for each in cost.values()), tail))
    computing = fmean(taken / 1e6 for one in bare for taken in one["computing"])
    report.table(
        f"{pace_ms} ms: an image a step, ms a step; the training computes {computing:.1f} ms",
        ("", "calls", "own", "loop", "all", "cpu", "calls, p99"),
        rows,
    )
    if "DVCLive" in costs:
        for kind in ("calls", "own") if pace_ms == PROMISED_MS else ():
            compared = ratio(costs["DVCLive"][kind], costs["Live"][kind]).median
            report.at_least(f"{pace_ms} ms a step: {kind}, DVCLive / Live", compared, CHEAPER)


def _costs(rounds: Sequence[JsonObject], bare: Sequence[JsonObject], steps: int) -> dict[str, list[float]]:
    """Milliseconds a step, for each round."""
    beyond = {
        name: [(one[key] - none[key]) / 1e6 / steps for one, none in zip(rounds, bare, strict=True)]
        for name, key in (("loop", "loop"), ("all", "whole"), ("cpu", "cpu"))
    }
    return {name: [fmean(one[name]) / 1e6 for one in rounds] for name in ("calls", "own")} | beyond


def main() -> int:
    return run(QUESTION, measure, parser_with_peer())


if __name__ == "__main__":
    sys.exit(main())
