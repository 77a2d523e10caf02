"""How long does it take from an `emit` in a training to the pixels of a table that somebody looks at?

A training in a process of its own emits one event every 1 to 1.5 s, as `bench_latency` has it; a daemon sends it to a
Studio, and a browser shows the table. The steps on the way, each from the `emit`, by the clock that they share:
``received``: the Studio has the body (the change's own time); ``told``: a bare client of the feed has read it;
``heard``: the page has; ``changed``: the cell in the document is another; ``drawn``: the frame with it is done.

``every 50 ms``: the same while the training emits twenty times as often, so that all gathering on the way is felt. The
event that is timed is then any that the page shows at all.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from benchmarks.browser import browsing, signed_in, window
from benchmarks.harness import Cell, Options, Report, ended_after, quantile, quiet_environment, run, scratch
from benchmarks.studio import Connection, Studio, running
from benchmarks.training import REPOSITORY, daemon_stopped_after

QUESTION: Final = str(__doc__).partition("\n")[0]
BOUND_MS: Final = 500.0
EVENTS: Final = 40
QUICK_EVENTS: Final = 8
STAGES: Final = ("received", "told", "heard", "changed", "drawn")

TRAINING: Final = """
import random, sys, time
import livestream
run = livestream.init("latency", spool=sys.argv[1])
dice = random.Random(7)
run.emit({"tick": 0})
print("begun", flush=True)
sys.stdin.readline()
for number in range(1, int(sys.argv[2]) + 1):
    print(number, time.time(), flush=True)
    run.emit({"tick": number})
    time.sleep(float(sys.argv[3]) * (1.0 + dice.random() / 2))
run.end()
"""

_LISTEN: Final = """(() => {
  window.heard = [];
  const Source = window.EventSource;
  window.EventSource = class extends Source {
    constructor(...given) {
      super(...given);
      super.addEventListener("change", (event) => window.heard.push([event.data, Date.now()]));
    }
  };
})()"""

_WATCH: Final = """() => {
  window.seen = [];
  const channel = new MessageChannel();
  const waiting = [];
  channel.port1.onmessage = () => window.seen.push([...waiting.shift(), Date.now()]);
  let last = "";
  const look = () => {
    const cell = [...document.querySelectorAll(".line.experiment .cell.kind-metrics .text")].at(0);
    const text = cell?.textContent ?? "";
    if (text === last) return;
    last = text;
    waiting.push([Number(text.replaceAll(",", "")), Date.now()]);
    requestAnimationFrame(() => channel.port2.postMessage(0));
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


class _Metrics(msgspec.Struct, frozen=True):
    tick: int | None = None


class _News(msgspec.Struct, frozen=True):
    """The part of a change that is looked at."""

    time: float = 0.0
    metrics: dict[str, _Metrics] = {}


_read: Final = msgspec.json.Decoder(_News).decode


class Way(msgspec.Struct, frozen=True):
    """When one event was where, in seconds since the epoch."""

    emitted: float
    received: float
    told: float
    heard: float
    changed: float
    drawn: float


async def listen(studio: Studio, told: dict[int, tuple[float, float]]) -> None:
    """Follow the feed as a bare client, until cancelled; notes when the Studio had an event, and when it told it."""
    async with Connection(studio) as connection:
        async for news in connection.events("/api/feed"):
            at = time.time()
            for number, received in _ticks(news):
                told.setdefault(number, (received, at))


def _ticks(news: list[bytes]) -> list[tuple[int, float]]:
    """Give the events in some news, and when the Studio had them."""
    found = []
    for one in map(_read, news):
        found += [(metrics.tick, one.time) for metrics in one.metrics.values() if metrics.tick is not None]
    return found


@contextmanager
def training(studio: Studio, folder: Path, events: int, pause_s: float) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Start a training that waits for a line; give where it reads and where it writes."""
    url = f"http://127.0.0.1:{studio.port}"
    given = {"DVC_STUDIO_URL": url, "DVC_STUDIO_TOKEN": studio.tokens[0], "DVC_STUDIO_REPO_URL": REPOSITORY}
    spool = folder / "spool"
    with daemon_stopped_after(spool):
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(spool), str(events), str(pause_s)],
            env=quiet_environment(**given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with ended_after(process):
            if process.stdin is None or process.stdout is None or process.stdout.readline() != b"begun\n":
                raise RuntimeError("the training failed")
            yield process.stdin, process.stdout


async def follow(studio: Studio, started: tuple[IO[bytes], IO[bytes]]) -> list[Way]:
    """Look at a training; give the events that were seen everywhere."""
    begin, said = started
    emitted: dict[int, float] = {}
    told: dict[int, tuple[float, float]] = {}
    async with browsing() as browser, window(browser) as context:
        await context.add_init_script(_LISTEN)
        opened = await signed_in(browser, context, studio)
        await opened.open("?layout=table&rows=flat")
        await opened.drawn("document.querySelector('.cell.kind-metrics .text') !== null")
        await opened.page.evaluate(_WATCH)
        await asyncio.sleep(2)
        listening = asyncio.create_task(listen(studio, told))
        begin.write(b"go\n")
        begin.flush()
        while line := await asyncio.to_thread(said.readline):
            number, at = line.split()
            emitted[int(number)] = float(at)
        await asyncio.sleep(2)
        listening.cancel()
        heard = await opened.page.evaluate("window.heard")
        seen = await opened.page.evaluate("window.seen")
    drawn = {tick: (changed_ms / 1e3, drawn_ms / 1e3) for tick, changed_ms, drawn_ms in seen}
    found: dict[int, Way] = {}
    for data, at_ms in heard:
        for tick, _ in _ticks([data.encode()]):
            if tick in emitted and tick in told and tick in drawn:
                found.setdefault(tick, Way(emitted[tick], *told[tick], at_ms / 1e3, *drawn[tick]))
    return list(found.values())


def measure(options: Options, report: Report) -> None:
    events = QUICK_EVENTS if options.quick else EVENTS
    rows: list[tuple[Cell, ...]] = []
    medians = {}
    for name, pause_s, count in (("every 1 to 1.5 s", 1.0, events), ("every 50 ms", 0.05, events * 10)):
        with (
            scratch() as folder,
            running(folder / "data") as studio,
            training(studio, folder, count, pause_s) as started,
        ):
            ways = asyncio.run(follow(studio, started))
        spans = {stage: [(getattr(way, stage) - way.emitted) * 1e3 for way in ways] for stage in STAGES}
        medians[name] = {stage: quantile(spans[stage], 0.5) for stage in STAGES}
        for stage in STAGES:
            shares = (quantile(spans[stage], share) for share in (0.0, 0.5, 0.9))
            rows.append((f"{name}: {stage}", len(ways), *shares, max(spans[stage])))
    report.table("since the emit, ms", ("", "seen", "least", "median", "p90", "most"), rows)
    report.at_most("from emit to the changed cell, median, ms", medians["every 1 to 1.5 s"]["changed"], BOUND_MS)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
