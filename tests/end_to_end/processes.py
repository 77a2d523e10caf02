"""Processes of a test's own, and waiting: on a condition, with a bound, never for a fixed time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from livestream.events import Json

BOUND_S: Final = float(os.environ.get("LIVESTREAM_BOUND_S", "40"))
"""What only a failure waits for."""


def until(condition: Callable[[], object], what: str, bound_s: float = BOUND_S) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + bound_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {bound_s:g} s: {what}")
        time.sleep(0.01)


def command_of(pid: int) -> str:
    """Give a process's command line; empty where there is no such process, or it is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Process:
    """A process of this test's own."""

    def __init__(self, popen: subprocess.Popen[str], errors: Path) -> None:
        self.popen = popen
        self.errors = errors
        self.pid = popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel is done with it."""
        self.popen.kill()
        self.popen.wait()
        self.close()

    def wait(self, bound_s: float = BOUND_S) -> int:
        """Wait for its own end; give its exit code."""
        code = self.popen.wait(bound_s)
        self.close()
        return code

    def said(self) -> str:
        """Give what it wrote to stderr."""
        return self.errors.read_text(errors="replace")

    def close(self) -> None:
        """Close its pipes."""
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


class Training(Process):
    """A training that obeys."""

    def order(self, name: str, order: Json = None) -> Any:
        """Have one thing done; give the answer.

        Raises:
            EOFError: It ended instead of answering.
        """
        self.tell(name, order)
        return self.answer()

    def tell(self, name: str, order: Json = None) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps({name: order}) + "\n")
        self.popen.stdin.flush()

    def answer(self) -> Any:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        if not line:
            raise EOFError(f"the training ended with {self.popen.wait(BOUND_S)}: {self.said()[-2000:]}")
        return json.loads(line)

    def emit(self, metrics: dict[str, Json] | None = None, **news: Json) -> int:
        """Emit one event; it has to be accepted."""
        seq = self.order("emit", {"metrics": metrics, **news} if metrics is not None else news)
        assert type(seq) is int, self.said()
        return seq

    def emit_many(self, name: str, values: Sequence[float], first_step: int = 0) -> list[int]:
        """Emit one metric at consecutive steps."""
        orders = [{"metrics": {name: value}, "step": first_step + place} for place, value in enumerate(values)]
        seqs: list[int] = self.order("emit_many", orders)
        assert None not in seqs
        return seqs

    def finish(self) -> None:
        """End the run and the process."""
        self.order("end")
        self.leave()

    def leave(self) -> int:
        """Let the process come to its end without a word to livestream."""
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        return self.wait()
