"""What a `Live` is measured by: ``python -P live_program.py dvclive|livestream TASK '{"an": "order"}'``.

One program for both, so that they do the same; it needs nothing of this repository, because DVCLive may live in an
environment of its own. It works in the folder in which it is started, and prints one line of JSON at its end. Times are
nanoseconds of `perf_counter_ns`, one for each call or each step.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Final

Order = dict[str, Any]

STEP_KEY: Final = "step"


def steps(live_class: Any, order: Order) -> Order:
    """Log metrics; measured are the calls of some spans of steps, for example ``[[2000, 100]]``."""
    names = [f"group{number % 7}/metric{number}" for number in range(order["metrics"])]
    for name in names if order.get("resume_at") else ():
        _write_history(name, order["resume_at"])
    live, spans = _resumed(live_class, order["resume_at"]) if order.get("resume_at") else live_class(), []
    clock, value = time.perf_counter_ns, 0.1
    for begin, length in order["spans"]:
        logging, ending = [], []
        while live.step < begin + length:
            if live.step >= begin:
                time.sleep(order["pause_s"])
            value = (value * 7.77) % 1
            first = clock()
            for name in names:
                live.log_metric(name, value)
            middle = clock()
            live.next_step()
            last = clock()
            if live.step > begin:
                logging.append((middle - first) / len(names))
                ending.append(last - middle)
        spans.append({"log_metric": logging, "next_step": ending})
    _check_rows(names[-1], live.step)
    return {"spans": spans, "refused": _refused(live)}


def bare(_: Any, order: Order) -> Order:
    """Write the rows of the same metrics and nothing else, each by an `os.write` on a file that stays open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [os.open(f"metric{number}.tsv", flags) for number in range(order["metrics"])]
    clock, value, taken = time.perf_counter_ns, 0.1, []
    for step in range(order["steps"]):
        time.sleep(order["pause_s"])
        value = (value * 7.77) % 1
        began = clock()
        for file in files:
            os.write(file, f"{step}\t{value}\n".encode())
        taken.append((clock() - began) / len(files))
    return {"write": taken}


def _write_history(name: str, rows: int) -> None:
    """Write the file of a metric as DVCLive leaves it after that many steps."""
    path = Path("dvclive/plots/metrics", f"{name}.tsv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator=os.linesep)
        writer.writerow([STEP_KEY, path.stem])
        writer.writerows([step, (step * 0.777) % 1] for step in range(rows))


def _resumed(live_class: Any, step: int) -> Any:
    Path("dvclive/metrics.json").write_text(json.dumps({STEP_KEY: step - 1}))
    return live_class(resume=True)


def _check_rows(name: str, rows: int) -> None:
    lines = Path("dvclive/plots/metrics", f"{name}.tsv").read_text().splitlines()
    if len(lines) != rows + 1:
        raise SystemExit(f"{len(lines) - 1} rows of {rows} are there: what is not done costs nothing")


def _refused(live: Any) -> Order:
    """What our spool did not take: a refusal would be quicker than an event."""
    parts = getattr(live, "_parts", None)
    return {} if parts is None else dict(parts.stream.run.refused)


def images(live_class: Any, order: Order) -> Order:
    """Log an image a step, with computing in Python between the steps; ``logs`` false: only the computing."""
    import numpy as np  # noqa: PLC0415 - images alone need it

    noise = np.random.default_rng(7).integers(0, order["noise"], (256, 256, 3))
    across = np.arange(256)[:, None, None]
    live = live_class(save_dvc_exp=False)
    taken, own, computing = [], [], []
    clock, cpu_clock = time.perf_counter_ns, time.thread_time_ns
    began_cpu, began = time.process_time_ns(), clock()
    for step in range(order["steps"]):
        first = clock()
        _compute(order["loops"])
        image = (noise + (across + step) % (256 - order["noise"])).astype(np.uint8)
        middle, middle_cpu = clock(), cpu_clock()
        if order["logs"]:
            live.log_image(f"sample/{step}.png", image)
            live.next_step()
        taken.append(clock() - middle)
        own.append(cpu_clock() - middle_cpu)
        computing.append(middle - first)
    loop = clock() - began
    live.end()
    whole, cpu = clock() - began, time.process_time_ns() - began_cpu
    if (there := len(list(Path("dvclive").rglob("*.png")))) != order["steps"] * order["logs"]:
        raise SystemExit(f"{there} images of {order['steps']} are there")
    return {"calls": taken, "own": own, "computing": computing, "loop": loop, "whole": whole, "cpu": cpu}


def _compute(loops: int) -> int:
    value = 1
    for _ in range(loops):
        value = (value * 31 + 7) % 1_000_003
    return value


def params(live_class: Any, order: Order) -> Order:
    """Log parameters one by one."""
    live = live_class(save_dvc_exp=False)
    clock, taken = time.perf_counter_ns, []
    for number in range(order["params"]):
        began = clock()
        live.log_param(f"param{number}", number * 0.5)
        taken.append(clock() - began)
    return {"log_param": taken}


def life(live_class: Any, order: Order) -> Order:
    """Construct, log a step and end."""
    clock = time.perf_counter_ns
    moments = [clock()]
    live = live_class(save_dvc_exp=order["save_dvc_exp"])
    moments.append(clock())
    live.log_metric("loss", 0.5)
    live.next_step()
    moments.append(clock())
    live.end()
    moments.append(clock())
    names = ("construct", "first step", "end")
    return {name: after - before for name, before, after in zip(names, moments, moments[1:], strict=False)}


def hung(live_class: Any, order: Order) -> Order:
    """Log steps for a Studio that has taken the start and hangs since, and end."""
    live = live_class(save_dvc_exp=False)
    for step in range(order["steps"]):
        live.log_metric("loss", 1 / (1 + step))
        live.next_step()
    time.sleep(order["lead_s"])  # something is under way
    began = time.monotonic()
    live.end()
    return {"began": began, "ended": time.monotonic()}


def outage(live_class: Any, order: Order) -> Order:
    """Log steps of ten metrics through an outage; resident memory at some steps, in bytes."""
    live = live_class(save_dvc_exp=False)
    found = {}
    for step in count():
        if step in order["at"]:
            found[str(step)] = _resident_bytes()
            if step == max(order["at"]):
                break
        for number in range(10):
            live.log_metric(f"metric{number}", step / 7)
        live.next_step()
    return {"resident": found, "refused": _refused(live)}


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


TASKS: Final[dict[str, Callable[[Any, Order], Order]]] = {
    task.__name__: task for task in (steps, bare, images, params, life, hung, outage)
}


def main() -> None:
    library, task, order = sys.argv[1:]
    found = TASKS[task](import_module(library).Live, json.loads(order))
    print(json.dumps(found), flush=True)
    if task != "hung":
        os._exit(0)  # whatever an unended run would do now was not asked for


if __name__ == "__main__":
    main()
