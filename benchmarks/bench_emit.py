"""What does one `emit` of 10 scalars cost a training, beside a bare sqlite3 insert of the same, already encoded bytes?

The insert is what a careful person would write: same table, one connection, autocommit, WAL, synchronous=NORMAL, no
automatic checkpoint. It gets its bytes and its checksum for nothing; `emit` checks, encodes and sums its own.

    tight     one call after the other
    20 ms     a sleep of 20 ms before each call, which is a training's step: every cache is cold
    busy      a sleep of 2 ms, beside a thread that computes in Python and so holds the GIL; compared by the mean, as
              the insert takes 5 ms (a switch of the GIL) or 70 us, as that thread happens to have a core or not
    2, 8      that many threads at once, tight; the insert's threads share its connection under a lock
    growth    tight, from event 1,000 on and from event 1,000,000 on

Each call's input (the dictionary, or the encoded bytes) is made just before it, outside the measured time, because that
is how a training comes by it.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Final, Literal
from zlib import crc32

import msgspec

import livestream
from benchmarks.harness import Options, Report, child, figure, interleave, quantile, ratio, run, scratch
from benchmarks.training import NAMES, end_whole
from livestream.events import Data, Json, Scalar, encode
from livestream.spool.segment import SCHEMA

QUESTION: Final = str(__doc__).partition("\n")[0]

WARM_UP: Final = 200
BODIES: Final = 1000


class Scenario(msgspec.Struct, frozen=True):
    """How calls are made: how many, after which sleep, by how many threads, beside a computing one or not."""

    calls: int
    quick_calls: int
    turns: int = 1  # in a round: a paced figure drifts within seconds, so it wants many short turns
    pause_s: float = 0.0
    threads: int = 1
    busy: bool = False
    bound: float | None = None  # of emit's figure over the insert's
    by: Literal["median", "mean"] = "median"


SCENARIOS: Final = {
    "tight": Scenario(20_000, 2_000, bound=0.5),
    "20 ms": Scenario(100, 30, turns=3, pause_s=0.020, bound=0.6),
    "busy": Scenario(300, 40, pause_s=0.002, busy=True, bound=0.05, by="mean"),
    "2 threads": Scenario(20_000, 2_000, threads=2),
    "8 threads": Scenario(20_000, 2_000, threads=8),
}
GROWTH_AT: Final = (1_000, 1_000_000)
GROWTH_SPAN: Final = 20_000


class Contender(msgspec.Struct, frozen=True):
    """One way to record a step.

    Attributes:
        ready: Makes what a training has at hand when it records; not timed.
        call: Records it; timed.
        close: Ends in good order, and fails where anything was refused: a refusal is quicker than an event.
    """

    ready: Callable[[], Json]
    call: Callable[[Json], object]
    close: Callable[[], None]


def new_metrics(dice: random.Random) -> dict[str, Scalar]:
    """Make one step's scalars."""
    return {name: dice.random() for name in NAMES}


def emitting(folder: Path) -> Contender:
    """Begin a run."""
    run = livestream.init("benchmark", spool=folder / "spool", daemon="off")
    return Contender(partial(new_metrics, random.Random(7)), run.emit, partial(end_whole, run))


def inserting(folder: Path, *, locked: bool) -> Contender:
    """Open a database as a writer's segment is; the bytes were encoded long ago, and cost nothing."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    connection.executescript(SCHEMA)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    execute, lock, numbers = connection.execute, threading.Lock(), count(1)
    metrics = partial(new_metrics, random.Random(7))
    events = (encode(Data(time=time.time(), step=step, metrics=metrics())) for step in range(BODIES))
    bodies = [(body, crc32(body)) for body in events]

    def encoded() -> Json:
        metrics()  # the training's own work, as beside emit
        number = next(numbers)
        body, checksum = bodies[number % BODIES]
        return number, checksum, bytes(bytearray(body))

    def insert(row: Json) -> object:
        return execute("INSERT INTO event(seq, crc, body) VALUES (?, ?, ?)", row)

    def insert_locked(row: Json) -> object:
        with lock:
            return insert(row)

    return Contender(encoded, insert_locked if locked else insert, connection.close)


# -- inside one contender's process


def measure_here(name: str, scenario: Scenario, calls: int) -> list[int]:
    """Time each call, in nanoseconds."""
    with scratch() as folder:
        shared = scenario.threads > 1
        contender = emitting(folder) if name == "emit" else inserting(folder, locked=shared)
        for _ in range(WARM_UP):
            contender.call(contender.ready())
        over = threading.Event()
        if scenario.busy:
            threading.Thread(target=_compute, args=(over,), daemon=True).start()
        taken = timed(contender, scenario, calls)
        over.set()
        contender.close()
        return taken


def timed(contender: Contender, scenario: Scenario, calls: int) -> list[int]:
    """Make calls as a scenario asks; give how long each took, in nanoseconds."""
    clock, sleep, pause_s = time.perf_counter_ns, time.sleep, scenario.pause_s
    ready, call = contender.ready, contender.call
    found: list[list[int]] = [[] for _ in range(scenario.threads)]
    together = threading.Barrier(scenario.threads)

    def work(mine: list[int]) -> None:
        together.wait()
        for _ in range(calls // scenario.threads):
            if pause_s:
                sleep(pause_s)
            news = ready()
            began = clock()
            call(news)
            mine.append(clock() - began)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found[1:]]
    for thread in threads:
        thread.start()
    work(found[0])
    for thread in threads:
        thread.join()
    return [taken for mine in found for taken in mine]


def _compute(over: threading.Event) -> None:
    value = 0
    while not over.is_set():
        for _ in range(1_000):
            value = (value * 31 + 7) % 1_000_003


def measure_growth_here(spans: Sequence[int]) -> list[float]:
    """Give the median call, in nanoseconds, from each of these events on."""
    medians = []
    with scratch() as folder:
        contender = emitting(folder)
        done = 0
        for at in spans:
            for _ in range(done, at):
                contender.call(contender.ready())
            medians.append(quantile(timed(contender, Scenario(0, 0), GROWTH_SPAN), 0.5))
            done = at + GROWTH_SPAN
        contender.close()
    return medians


# -- the whole


def measure(options: Options, report: Report) -> None:
    only = options.rest.only
    scenarios = {name: scenario for name, scenario in SCENARIOS.items() if only in {None, name}}
    rows = []
    for name, scenario in scenarios.items():
        calls = scenario.quick_calls if options.quick else scenario.calls
        turns = {who: partial(child, "bench_emit", "--child", who, name, str(calls)) for who in ("emit", "insert")}
        found = interleave(turns, options.rounds * scenario.turns)
        medians = {who: [quantile(taken, 0.5) / 1000 for taken in turn] for who, turn in found.items()}
        means = {who: [fmean(taken) / 1000 for taken in turn] for who, turn in found.items()}
        pooled = {who: [call / 1000 for taken in turn for call in taken] for who, turn in found.items()}
        judged = means if scenario.by == "mean" else medians
        compared = ratio(judged["emit"], judged["insert"])
        for who in ("emit", "insert"):
            tails = [quantile(pooled[who], share) for share in (0.99, 0.999)]
            shown = compared if who == "emit" else None
            rows.append((f"{name}: {who}", figure(medians[who]), figure(means[who]).median, *tails, shown))
        if scenario.bound is not None:
            report.at_most(f"{name}: emit / insert, {scenario.by}s", compared.median, scenario.bound)
        if scenario.bound is not None and scenario.by == "median":
            tail = quantile(pooled["emit"], 0.999) / figure(medians["insert"]).median
            report.at_most(f"{name}: emit's p99.9 / insert's median", tail, 10.0)
    if rows:
        report.table("one call, us", ("", "median", "mean", "p99", "p99.9", "ratio"), rows)
    if only in {None, "growth"}:
        measure_growth(options, report)


def measure_growth(options: Options, report: Report) -> None:
    """Compare calls of a young queue with calls of an old one."""
    spans = (GROWTH_AT[0], 50_000 if options.quick else GROWTH_AT[1])
    rounds = [child("bench_emit", "--child", "growth", *map(str, spans)) for _ in range(min(options.rounds, 3))]
    young, old = ([found[place] / 1000 for found in rounds] for place in (0, 1))
    grown = ratio(old, young)
    report.table(
        "one call as the queue grows, us",
        ("from event", "median", "ratio"),
        [(f"{spans[0]:,}", figure(young), None), (f"{spans[1]:,}", figure(old), grown)],
    )
    report.at_most(f"a call after event {spans[1]:,} / after {spans[0]:,}", grown.median, 1.1)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=[*SCENARIOS, "growth"], help="one scenario")
    if sys.argv[1:2] != ["--child"]:
        return run(QUESTION, measure, parser)
    _, contender, *rest = sys.argv[1:]
    if contender == "growth":
        found: list[int] | list[float] = measure_growth_here([int(at) for at in rest])
    else:
        found = measure_here(contender, SCENARIOS[rest[0]], int(rest[1]))
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
