"""How quickly does the daemon deliver a backlog of 1,000,000 points, and how much of that time is JSON and HTTP alone?

100,000 events of 10 scalars, recorded before; the time is that of a whole ``livestream daemon --once``, from its start
to its end, so the imports, the recovery and the clearing up are in it. Two servers: a bare aiohttp handler, which reads
and forgets, and `FakeStudio`, which parses and books (both in processes of their own, on the same cores).

``floor`` is what nobody can do without: each event decoded by orjson, the same rows encoded by orjson into bodies of
the same size, each posted by aiohttp, one at a time, to the bare handler. No file is read and nothing is merged in it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from typing import Final

import aiohttp
import msgspec
import orjson

from benchmarks.harness import Options, Report, child, figure, interleave, ratio, run, scratch
from benchmarks.server import Mode, serving
from benchmarks.training import NAMES, Usage, environment, record_backlog, run_watched
from livestream.events import JsonObject

QUESTION: Final = str(__doc__).partition("\n")[0]
EVENTS: Final = 100_000
QUICK_EVENTS: Final = 10_000
EVENTS_A_BODY: Final = 12_500


class Delivery(msgspec.Struct, frozen=True):
    """One replay: what the daemon took, how many requests it made, and from the first body to the last answer."""

    usage: Usage
    requests: int
    bytes: int
    sending_s: float


def deliver(mode: Mode, events: int) -> Delivery:
    """Record a backlog, then deliver it."""
    with scratch() as folder, serving(mode) as server:
        spool = folder / "spool"
        record_backlog(spool, server.url, events)
        usage = run_watched(["daemon", str(spool), "--once"], environment(server.url))
        tally = server.tally()
    if usage.exit_code or tally.problems:
        raise SystemExit(f"not delivered: exit code {usage.exit_code}, {tally.problems} problems")
    return Delivery(usage, tally.requests, tally.bytes, tally.last - tally.first)


def measure_floor(events: int) -> JsonObject:
    """Time JSON and HTTP alone, in a process of its own."""
    with serving("bare") as server:
        found: JsonObject = child("bench_replay", "--child", server.url, str(events))
        server.tally()
    return found


def floor_here(url: str, events: int) -> JsonObject:
    """Decode events, encode bodies, post them; give the seconds of each."""
    dice = random.Random(7)
    stored = [
        orjson.dumps({"type": "data", "time": 1.7e9 + step, "step": step, "metrics": {n: dice.random() for n in NAMES}})
        for step in range(events)
    ]
    batches = [stored[at : at + EVENTS_A_BODY] for at in range(0, events, EVENTS_A_BODY)]
    decoding_s = encoding_s = 0.0
    bodies = []
    for batch in batches:
        began = time.perf_counter()
        decoded = [orjson.loads(event) for event in batch]
        decoding_s += time.perf_counter() - began
        plots = {
            f"dvclive/plots/metrics/{name}.tsv": {
                "data": [{"step": event["step"], name: event["metrics"][name]} for event in decoded]
            }
            for name in NAMES
        }
        began = time.perf_counter()
        bodies.append(orjson.dumps({"type": "data", "plots": plots}))
        encoding_s += time.perf_counter() - began
    began = time.perf_counter()
    asyncio.run(_post(url, bodies))
    return {"decode": decoding_s, "encode": encoding_s, "http": time.perf_counter() - began}


async def _post(url: str, bodies: list[bytes]) -> None:
    async with aiohttp.ClientSession() as session:
        for body in bodies:
            async with session.post(f"{url}/api/live", data=body) as answer:
                await answer.read()


def measure(options: Options, report: Report) -> None:
    events = QUICK_EVENTS if options.quick else EVENTS
    points = events * len(NAMES)
    floors: list[JsonObject] = []

    def both() -> list[Delivery]:
        floors.append(measure_floor(events))
        return [deliver("bare", events)]

    found = interleave({"bare": both, "fake": lambda: [deliver("fake", events)]}, min(options.rounds, 3))
    rows = []
    for mode, rounds in found.items():
        taken = [delivery for turn in rounds for delivery in turn]
        wall = [delivery.usage.wall_s for delivery in taken]
        rows.append(
            (
                mode,
                figure([points / wall_s for wall_s in wall]),
                figure(wall),
                figure([delivery.usage.cpu_s for delivery in taken]),
                taken[0].requests,
                round(taken[0].bytes / 1e6, 1),
                figure([delivery.usage.peak_bytes / 1e6 for delivery in taken]),
            )
        )
    columns = ("server", "points/s", "wall s", "cpu s", "requests", "MB sent", "peak MB")
    report.table(f"replay of {points:,} points", columns, rows)
    floor = [sum(parts.values()) for parts in floors]
    bare = [turn[0].usage.wall_s for turn in found["bare"]]
    report.table(
        "the floor, s",
        ("", "seconds"),
        [*((part, figure([parts[part] for parts in floors])) for part in floors[0]), ("all", figure(floor))],
    )
    share = ratio(floor, bare)
    report.note(f"JSON and HTTP alone are {share.median:.0%} of the time against the bare server.")
    for mode, rounds in found.items():
        speed = figure([points / turn[0].usage.wall_s for turn in rounds])
        report.at_least(f"points/s against the {mode} server", speed.median, 100_000)


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        sys.stdout.buffer.write(msgspec.json.encode(floor_here(sys.argv[2], int(sys.argv[3]))))
        return 0
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
