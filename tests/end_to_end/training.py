"""A training in a process of its own that does what it is told, one JSON line an order, one JSON line an answer.

Started as a script with the arguments of ``livestream.init`` as JSON. What an order cannot hold as JSON it describes:
``{"noise": 30000000}`` is an image file of so many incompressible bytes, ``{"pixels": [height, width]}`` an array.
"""

from __future__ import annotations

import json
import os
import random
import sys
from typing import Any

import livestream

_PNG = b"\x89PNG\r\n\x1a\n"


def noise(size: int, seed: int = 0) -> bytes:
    """Make what passes for a PNG file of ``size`` bytes and shrinks under no compression."""
    return _PNG + random.Random(seed).randbytes(size - len(_PNG))


def _image(described: dict[str, Any]) -> Any:
    if "noise" in described:
        return noise(described["noise"], described.get("seed", 0))
    import numpy as np  # noqa: PLC0415 - only trainings with pixels pay for it

    height, width = described["pixels"]
    return np.random.default_rng(described.get("seed", 0)).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _emit(run: livestream.Run, order: dict[str, Any]) -> int | None:
    if order.get("images"):
        order["images"] = {name: _image(described) for name, described in order["images"].items()}
    return run.emit(order.pop("metrics", None), **order)


def _obey(run: livestream.Run, name: str, order: Any) -> Any:
    match name:
        case "emit":
            return _emit(run, order)
        case "emit_many":
            return [_emit(run, one) for one in order]
        case "end":
            return run.end(wait_s=order)
        case "threads":
            import threading  # noqa: PLC0415 - so that it is no import of livestream's

            return sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
        case "raise":
            raise RuntimeError(order)
        case "interrupt":
            raise KeyboardInterrupt
        case "exit":
            sys.exit(order)
        case _:
            return {"refused": run.refused, "step": run.step, "name": run.name}


def _main() -> None:
    arguments = json.loads(sys.argv[1])
    run = livestream.init(**arguments)
    print(json.dumps(os.getpid()), flush=True)
    for line in sys.stdin:
        ((name, order),) = json.loads(line).items()
        print(json.dumps(_obey(run, name, order)), flush=True)


if __name__ == "__main__":
    _main()
