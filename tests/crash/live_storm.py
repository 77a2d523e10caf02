"""A training with ``Live`` that goes on until it is told to stop or killed, and keeps a diary that survives its death.

``began pid step name`` when it is constructed, ``? step value`` before a step's first metric, ``! step`` when
``next_step`` has returned; one ``os.write`` a line, so that a SIGKILL leaves whole lines. A step that is done again
after a resume gets another value: each attempt adds a thousandth of its number.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from storm import Diary

from livestream import Live
from livestream.live.metrics import MetricFiles
from livestream.live.parts import Parts
from livestream.live.stream import Stream
from livestream.live.summary import SummaryFile

PLACES: dict[str, tuple[type, str]] = {
    "row": (MetricFiles, "append"),
    "summary": (SummaryFile, "write"),
    "event": (Parts, "send"),
    "recorded": (Stream, "sync"),
}
"""Where a training can be told to die: as a row is to be written, as metrics.json is, before and after the event."""


def _die_at(place: str, call: int) -> None:
    """Have the n-th call of a place, from 1, be the process's end; ``recorded`` dies as it returns."""
    owner, name = PLACES[place]
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def fatal(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        result = real(*arguments, **options) if calls < call or place == "recorded" else None
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)


def _fork(live: Live, how: str, step: int) -> None:
    """Do what the workers of a loader do in the midst of a step, and wait for the worker's end."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    if how == "logs":
        live.log_metric(f"worker/{step}", float(step))
        live.next_step()
    if how == "sys.exit":
        sys.exit(0)
    os._exit(0)


def _train(live: Live, order: dict[str, Any], diary: Diary) -> None:
    dice = random.Random(order["seed"])
    for _ in range(order["count"]):
        if os.path.exists(order["stop"]):
            break
        step, first = live.step, True
        value = step + order["attempt"] / 1000
        diary.note("?", step, value)
        for name in order["metrics"]:
            live.log_metric(name, value)
            if first and (how := order["forks"].get(str(step))):
                _fork(live, how, step)
            if first and step == order["leave_at"]:
                sys.exit(3)
            first = False
        if order["images"]:
            import numpy as np  # noqa: PLC0415 - only trainings with images pay for it

            live.log_image(f"seen/{step}.png", np.full((24, 24, 3), step % 256, np.uint8))
        live.next_step()
        diary.note("!", step)
        if dice.random() < order["pauses"]:
            time.sleep(dice.uniform(0, order["pause_s"]))


def _main() -> None:
    order = json.loads(sys.argv[1])
    if "die_at" in order:
        _die_at(*order["die_at"])
    live = Live(order["dir"], resume=order["resume"], save_dvc_exp=False, exp_name=order["name"])
    diary = Diary(order["diary"])
    diary.note("began", os.getpid(), live.step, live._exp_name)  # users read it, too
    live.log_params({"attempt": order["attempt"], "lr": 0.1})
    _train(live, order, diary)
    live.end()


if __name__ == "__main__":
    _main()
