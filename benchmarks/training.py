"""A training to measure, and the daemon and the commands beside it, each in a process of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

import livestream
from benchmarks.harness import child, ended_after, quiet_environment, wait_until
from benchmarks.server import TOKEN
from livestream.run import Run
from livestream.spool.launch import ask_daemon, is_served

NAMES: Final = (
    "train/loss",
    "train/acc",
    "val/loss",
    "val/acc",
    "lr",
    "grad/norm",
    "grad/max",
    "tokens",
    "mfu",
    "loss",
)
SEALED_WITHIN_S: Final = 120.0
QUOTA_BYTES: Final = "8000000000"
REPOSITORY: Final = "https://example.com/benchmark.git"


def environment(url: str, **extra: str) -> dict[str, str]:
    """Give the environment of a run that goes to a server of ours."""
    studio = {"DVC_STUDIO_URL": url, "DVC_STUDIO_TOKEN": TOKEN, "DVC_STUDIO_REPO_URL": REPOSITORY}
    return quiet_environment(**studio, **extra)


class Usage(msgspec.Struct, frozen=True):
    """What a process took: wall time, processor time, and its peak resident memory (VmHWM)."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int


def run_watched(arguments: list[str], env: Mapping[str, str], timeout_s: float = 600.0) -> Usage:
    """Run ``python -m livestream ...`` and watch what it takes.

    The peak is read from /proc while it runs: what ``wait4`` tells would include the process that started it.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "livestream", *arguments],
        env=dict(env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = cpu_s = 0.0
    with ended_after(process):
        while process.poll() is None:
            peak = max(peak, peak_bytes(process.pid))
            cpu_s = max(cpu_s, cpu_seconds(process.pid))
            if time.monotonic() - began > timeout_s:
                raise TimeoutError(f"livestream {arguments[0]} took more than {timeout_s:g} s")
            time.sleep(0.005)
        wall_s = time.monotonic() - began
    return Usage(wall_s, cpu_s, int(peak), process.returncode)


def peak_bytes(pid: int) -> int:
    """Read a process's peak resident memory; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def cpu_seconds(pid: int) -> float:
    """Read the processor time that a process has taken; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def record_backlog(spool: Path, url: str, steps: int, *, experiments: int = 1, offline: bool = False) -> None:
    """Record trainings without a daemon, their steps shared out; their queues are complete when this returns."""
    marked = {"DVC_STUDIO_OFFLINE": "true"} if offline else {}
    env = environment(url, LIVESTREAM_QUOTA_BYTES=QUOTA_BYTES, **marked)
    for number in range(experiments):
        child("training", "scalars", str(spool), f"backlog-{number}", str(steps // experiments), env=env)


def record_images(spool: Path, url: str, images: int, size: int) -> None:
    """Record a training of images, each of its own path, without a daemon."""
    env = environment(url, LIVESTREAM_QUOTA_BYTES=QUOTA_BYTES)
    child("training", "images", str(spool), str(images), str(size), env=env)


@contextmanager
def daemon_stopped_after(spool: Path) -> Iterator[None]:
    """End the daemon of a spool, if one serves it then."""
    try:
        yield
    finally:
        if is_served(spool):
            wait_until(
                lambda: ask_daemon(spool, {"op": "stop"}) is not None or not is_served(spool), 10, "asked to stop"
            )
            wait_until(lambda: not is_served(spool), 10, "the daemon's end")


# -- inside the training's process


def _scalars(folder: str, name: str, steps: str) -> None:
    dice = random.Random(7)
    run = livestream.init(name, spool=folder, daemon="off")
    for _ in range(int(steps)):
        run.emit({name: dice.random() for name in NAMES})
    end_whole(run)
    print("{}")


def _images(folder: str, images: str, size: str) -> None:
    dice = random.Random(7)
    run = livestream.init("images", spool=folder, daemon="off")
    for number in range(int(images)):
        content = b"\x89PNG\r\n\x1a\n" + dice.randbytes(int(size))
        run.emit({"number": number}, images={f"sample/{number}.png": content})
    end_whole(run)
    print("{}")


def end_whole(run: Run) -> None:
    """End a run, and wait until its queue is complete on the disk.

    Raises:
        SystemExit: Events were refused, or it takes too long.
    """
    run.end()
    session = run._session  # noqa: SLF001 - what is measured must be there, and no user needs to ask
    if run.refused or session is None or not session.wait_sealed(SEALED_WITHIN_S):
        raise SystemExit(f"the queue is not whole: {run.refused}")


if __name__ == "__main__":
    {"scalars": _scalars, "images": _images}[sys.argv[1]](*sys.argv[2:])
