"""How long does a lone `emit` take to reach a healthy Studio, and what does a daemon cost that has nothing to do?

Latency: a training emits one event every 1 to 1.5 s, with the time of the shared monotonic clock as a metric; the
server tells how old it is when its body is in. Idle: the same training then emits nothing while the daemon's processor
time is read from /proc; it lives, so the daemon watches its queue.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Final

import msgspec

from benchmarks.harness import Options, Report, ended_after, figure, quantile, run, scratch, wait_until
from benchmarks.server import serving
from benchmarks.training import cpu_seconds, daemon_stopped_after, environment, peak_bytes
from livestream.spool.launch import is_served, read_published

QUESTION: Final = str(__doc__).partition("\n")[0]
MEDIAN_BOUND_MS: Final = 200.0
IDLE_BOUND: Final = 0.01
EVENTS: Final = 25
QUICK_EVENTS: Final = 4
IDLE_S: Final = 20.0
QUICK_IDLE_S: Final = 3.0

TRAINING: Final = """
import random, sys, time
import livestream
run = livestream.init("latency", spool=sys.argv[1])
dice = random.Random(7)
time.sleep(2.0)
for _ in range(int(sys.argv[2])):
    run.emit({"sent": time.monotonic()})
    time.sleep(1.0 + dice.random() / 2)
print("quiet", flush=True)
sys.stdin.read()
run.end()
"""


class Seen(msgspec.Struct, frozen=True):
    """One training: the age of each event at the server, the daemon's load when idle, and its resident memory then."""

    ages_ms: list[float]
    idle_share: float
    idle_peak_bytes: int


def watch(events: int, idle_s: float) -> Seen:
    """Run one training and watch its daemon."""
    with scratch() as folder, serving("timed") as server, daemon_stopped_after(folder / "spool"):
        spool = folder / "spool"
        training = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(spool), str(events)],
            env=environment(server.url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with ended_after(training):
            if training.stdout is None or training.stdout.readline() != b"quiet\n":
                raise SystemExit("the training failed")
            wait_until(lambda: is_served(spool), 10, "a daemon")
            published = read_published(spool)
            pid = 0 if published is None else published.pid
            before, began = cpu_seconds(pid), time.monotonic()
            time.sleep(idle_s)
            share = (cpu_seconds(pid) - before) / (time.monotonic() - began)
            peak = peak_bytes(pid)
            training.communicate(timeout=30)
        tally = server.tally()
    return Seen([age * 1000 for age in tally.ages_s], share, peak)


def measure(options: Options, report: Report) -> None:
    rounds = min(options.rounds, 2)
    events, idle_s = (QUICK_EVENTS, QUICK_IDLE_S) if options.quick else (EVENTS, IDLE_S)
    seen = [watch(events, idle_s) for _ in range(rounds)]
    ages = [age for one in seen for age in one.ages_ms]
    medians = figure([quantile(one.ages_ms, 0.5) for one in seen])
    row = (f"{len(ages)} events", min(ages), medians, quantile(ages, 0.9), max(ages))
    report.table("from emit to the server, ms", ("", "least", "median", "p90", "most"), [row])
    idle = figure([one.idle_share for one in seen])
    rows = [
        (
            f"{idle_s:g} s, a silent training",
            figure([100 * one.idle_share for one in seen]),
            seen[0].idle_peak_bytes / 1e6,
        )
    ]
    report.table("an idle daemon", ("", "% of a core", "peak MB"), rows)
    report.at_most("median latency of a lone emit, ms", medians.median, MEDIAN_BOUND_MS)
    report.at_most("an idle daemon's share of a core", idle.median, IDLE_BOUND)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
