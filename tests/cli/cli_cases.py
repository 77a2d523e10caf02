"""The command line as a user has it: real processes, real spools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from livestream.events import Json, JsonObject
from livestream.testing import FakeStudio

ROOT: Final = Path(__file__).resolve().parents[2]
WAIT_S: Final = 60.0

RECORD: Final = """
import os, sys, json, signal, time
import livestream
case = json.loads(sys.argv[1])
run = livestream.init(case["name"], daemon="off", message="a case")
for step in range(case["steps"]):
    images = {"a.png": b"\\x89PNG\\r\\n\\x1a\\n" + os.urandom(case["image_bytes"])} if case["image_bytes"] else None
    plots = {"big": [{"x": n, "y": n} for n in range(case["plot_rows"])]} if case["plot_rows"] else None
    run.emit({"loss": 1 / (step + 1)}, step=step, images=images, plots=plots)
if case["then"] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if case["then"] == "wait":
    print("ready", flush=True)
    sys.stdin.readline()
run.end()
run._session.wait_sealed(5)
"""


class Ran(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        return json.loads(self.out)


class Cli:
    """Runs commands and trainings in one environment."""

    def __init__(self, environ: dict[str, str], work: Path) -> None:
        self.environ = environ
        self.work = work
        self.started: list[subprocess.Popen[str]] = []

    @property
    def spool(self) -> Path:
        return Path(self.environ["LIVESTREAM_SPOOL"])

    def __call__(self, *arguments: str, stdin: str = "", **more: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "livestream", *arguments],
            env=self.environ | more,
            cwd=self.work,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, stdin: str | None = None, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "livestream", *arguments],
            env=self.environ | more,
            cwd=self.work,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.flush()
        return process

    def goes_to(self, studio: FakeStudio) -> None:
        """Let trainings and commands know a Studio and a token for it."""
        (token,) = studio.tokens
        self.environ |= {"DVC_STUDIO_URL": studio.url, "DVC_STUDIO_TOKEN": token}

    def record(
        self, name: str, steps: int = 5, *, image_bytes: int = 0, plot_rows: int = 0, then: str = "end", **more: str
    ) -> subprocess.Popen[str]:
        """Run a training that records and starts no daemon; give its process, which has ended unless it waits."""
        case: JsonObject = {
            "name": name,
            "steps": steps,
            "image_bytes": image_bytes,
            "plot_rows": plot_rows,
            "then": then,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", RECORD, json.dumps(case)],
            env=self.environ | more,
            cwd=self.work,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        if then == "wait":
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        else:
            code = process.wait(WAIT_S)
            assert code == (-signal.SIGKILL if then == "kill" else 0)
        return process

    def release(self, process: subprocess.Popen[str]) -> None:
        """Let a training that waits go on to its end."""
        process.communicate("\n", timeout=WAIT_S)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def eventually(holds: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def only_writer(spool: Path) -> Path:
    """Give the folder of a spool's only writer."""
    (folder,) = [path for path in spool.iterdir() if path.name.startswith("w") and len(path.name) == 23]
    return folder
