"""Pictures that tell when and by whom they are written, for the tests of the encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from livestream.images import Pixels
from livestream.live.encoder import Encoder
from livestream.live.images import Picture

OPEN = threading.Event()
OPEN.set()


class Watched(Picture, frozen=True, kw_only=True):
    """A picture that tells when and by whom it is written, and waits for its gate."""

    log: list[tuple[str, str]]
    gate: threading.Event = OPEN
    begun: threading.Event = OPEN

    def save(self, path: str) -> None:
        self.begun.set()
        assert self.gate.wait(30)
        self.log.append((f"{path} {self.name}", threading.current_thread().name))


class Story:
    """Watched pictures of one test, and what became of them."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.gate = threading.Event()

    def picture(self, name: str = "", size: int = 1, **more: Any) -> Watched:
        pixels = Pixels("png", bytes(size))
        return Watched(name=name, pixels=pixels, saved=pixels, format="PNG", log=self.log, **more)

    def hold(self, held: Encoder, path: str = "held", **more: Any) -> None:
        """Keep the thread in one picture until the gate is opened."""
        begun = threading.Event()
        held.put(self.picture("first", gate=self.gate, begun=begun, **more), path)
        assert begun.wait(30)

    @property
    def written(self) -> list[str]:
        return [what for what, _ in self.log]

    @property
    def writers(self) -> set[str]:
        return {who for _, who in self.log}


class Interrupted(Picture, frozen=True, kw_only=True):
    """A picture whose caller is interrupted the first time."""

    tries: list[str]

    def save(self, path: str) -> None:  # noqa: ARG002 - as a picture's
        self.tries.append(threading.current_thread().name)
        if len(self.tries) == 1:
            raise KeyboardInterrupt


def noise(number: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


SCRIPT = """
import os, signal, sys, threading
import numpy as np
from livestream.live import encoder, images
from livestream.live.encoder import Encoder
from livestream.live.images import Picture
folder = sys.argv[1]
def put(writer, name, number=0):
    array = np.random.default_rng(number).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    writer.put(images.take("a.png", array), f"{folder}/{name}.png")
"""
