"""A training that emits until it is told to stop or killed, and keeps a diary that survives its death.

Before each ``emit`` a line ``? series step value`` goes into the diary, after it ``! series step value seq``; one
``os.write`` a line, so that a SIGKILL leaves whole lines. What was accepted has a ``!``, what may have been a ``?``.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import livestream


class Diary:
    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())


def _emit(run: livestream.Run, diary: Diary, series: str, step: int) -> None:
    value = step * 0.5 + len(series)
    diary.note("?", series, step, value)
    seq = run.emit({series: value}, step=step)
    diary.note("!" if seq is not None else "x", series, step, value, seq)


def _stream(run: livestream.Run, order: dict[str, Any], series: str) -> None:
    """Emit one series at a random pace: bursts, then pauses."""
    dice, diary = random.Random(f"{order['seed']} {series}"), Diary(order["diary"])
    for step in range(order["count"]):
        if os.path.exists(order["stop"]):
            break
        _emit(run, diary, series, step)
        if dice.random() < order.get("pauses", 0.2):
            time.sleep(dice.uniform(0, order["pause_s"]))


def _threads(run: livestream.Run, order: dict[str, Any], prefix: str) -> None:
    names = [f"{prefix}t{number}" for number in range(order["threads"])]
    threads = [threading.Thread(target=_stream, args=(run, order, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _fork(run: livestream.Run, order: dict[str, Any], number: int) -> int:
    child = os.fork()
    if child:
        return child
    _threads(run, order, f"{order['series']}c{number}")
    run.end()
    sys.exit(0)


def _limit(limits: dict[str, int]) -> None:
    import resource  # noqa: PLC0415 - only where a limit is asked for
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_bytes"], limits["file_bytes"]))


def _main() -> None:
    order = json.loads(sys.argv[1])
    if "limits" in order:
        _limit(order["limits"])
    run = livestream.init(order["name"])
    Diary(order["diary"]).note("began", os.getpid())
    children = [_fork(run, order, number) for number in range(order.get("forks", 0))]
    _threads(run, order, order["series"])
    for child in children:
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
    run.end()


if __name__ == "__main__":
    _main()
