"""DVCLive beside us: run by the Python of a throwaway environment (``--dvclive-python``), which has no livestream.

    python -m venv /tmp/peer && /tmp/peer/bin/pip install dvclive

The benchmark asks ``why_missing`` and has ``STORY`` run there. A temporary Git repository with one commit is made for
it, because DVCLive sends nothing without one. Its own options that cost most are off.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.harness import quiet_environment
from benchmarks.server import TOKEN
from livestream.events import JsonObject

STORY: Final = """
import json, os, random, sys, time
from dvclive import Live

steps, metrics = int(sys.argv[1]), int(sys.argv[2])
dice = random.Random(7)
took = []
live = Live(report=None, dvcyaml=False, save_dvc_exp=False)
for step in range(steps):
    news = {f"metric{number}": dice.random() for number in range(metrics)}
    began = time.perf_counter_ns()
    for name, value in news.items():
        live.log_metric(name, value)
    live.next_step()
    took.append(time.perf_counter_ns() - began)
print(json.dumps({"steps_ns": took, "ending": time.monotonic()}), flush=True)
live.end()
"""


class Peer(msgspec.Struct, frozen=True):
    """How DVCLive did: each step, and the time from the training's last line to the end of its process."""

    steps_us: list[float]
    exit_s: float


def why_missing(python: Path | None) -> str | None:
    """Say why there is no DVCLive to compare with."""
    if python is None:
        return "DVCLive: skipped, as no --dvclive-python was given"
    done = subprocess.run([python, "-c", "import dvclive"], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"DVCLive: skipped, as {python} cannot import it: {done.stderr.strip().splitlines()[-1]}"
    return None


def run_dvclive(python: Path, folder: Path, url: str | None, steps: int, metrics: int = 10) -> Peer:
    """Run a training with DVCLive in a fresh repository; ``url`` of None: without a Studio."""
    env = quiet_environment(GIT_CONFIG_GLOBAL=os.devnull)
    del env["PYTHONPATH"]
    if url is not None:
        env |= {"DVC_STUDIO_URL": url, "DVC_STUDIO_TOKEN": TOKEN, "DVC_STUDIO_REPO_URL": "https://example.com/b.git"}
    _make_repository(folder, env)
    arguments = [str(python), "-c", STORY, str(steps), str(metrics)]
    done = subprocess.run(arguments, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    ended = time.monotonic()
    found: JsonObject = msgspec.json.decode(done.stdout.splitlines()[-1])
    return Peer([taken / 1000 for taken in found["steps_ns"]], ended - found["ending"])


def _make_repository(folder: Path, env: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com")
    for command in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", *who, *command], cwd=folder, env=env, check=True)
