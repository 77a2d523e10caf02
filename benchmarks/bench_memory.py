"""How much memory does the daemon need at its peak for a backlog of 1,000,000 events, and for one of 2 GB of images?

The peak is the kernel's (VmHWM) over a whole ``livestream daemon --once``. The images are 1,000 files of 2 MB, each of
its own path, so all of them are sent; the events carry 10 scalars each. Events of several experiments
are delivered at once. What does not fit on the disk is not tried.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.harness import Cell, Figure, Options, Report, run, scratch
from benchmarks.server import serving
from benchmarks.training import environment, record_backlog, record_images, run_watched

QUESTION: Final = str(__doc__).partition("\n")[0]
BOUND_MB: Final = 150.0
EVENTS: Final = 1_000_000
QUICK_EVENTS: Final = 20_000
EXPERIMENTS: Final = 8
IMAGES: Final = 1_000
QUICK_IMAGES: Final = 20
IMAGE_BYTES: Final = 2_000_000
BYTES_AN_EVENT: Final = 1_000  # what one takes on the disk, with its page and its place in the WAL, at most
FREE_FACTOR: Final = 3


def measure(options: Options, report: Report) -> None:
    events = QUICK_EVENTS if options.quick else EVENTS
    images = QUICK_IMAGES if options.quick else IMAGES
    backlogs: dict[str, tuple[int, Callable[[Path, str], None]]] = {
        f"{events:,} events": (events * BYTES_AN_EVENT, partial(record_backlog, steps=events)),
        f"{events // 2:,} events of {EXPERIMENTS} experiments": (
            events * BYTES_AN_EVENT,
            partial(record_backlog, steps=events // 2, experiments=EXPERIMENTS),
        ),
        f"{images * IMAGE_BYTES / 1e9:g} GB of images": (
            images * IMAGE_BYTES,
            partial(record_images, images=images, size=IMAGE_BYTES),
        ),
    }
    rows: list[tuple[Cell | Figure, ...]] = []
    for name, (size, record) in backlogs.items():
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if free < size * FREE_FACTOR:
            report.note(f"{name}: skipped, as only {free / 1e9:.1f} GB are free")
            continue
        with scratch() as folder, serving("bare") as server:
            spool = folder / "spool"
            record(spool, server.url)
            usage = run_watched(["daemon", str(spool), "--once"], environment(server.url))
            tally = server.tally()
        if usage.exit_code:
            raise SystemExit(f"{name}: not delivered, exit code {usage.exit_code}")
        peak_mb = usage.peak_bytes / 1e6
        rows.append((name, peak_mb, usage.wall_s, usage.cpu_s, tally.requests, round(tally.bytes / 1e6)))
        report.at_most(f"peak MB, {name}", peak_mb, BOUND_MB)
    report.table("the daemon's peak", ("backlog", "peak MB", "wall s", "cpu s", "requests", "MB sent"), rows)


def main() -> int:
    return run(QUESTION, measure, argparse.ArgumentParser())


if __name__ == "__main__":
    sys.exit(main())
