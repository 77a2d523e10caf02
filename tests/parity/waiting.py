"""What programs of the parity suite wait with; the zygote has it loaded, so each of them may import it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

BOUND_S = 20  # far more than a busy machine needs


def until(condition: Callable[[], object]) -> bool:
    """Wait until something holds; whether it does after 20 s at most."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def studio_met(posts: int) -> None:
    """Wait until the Studio has met so many of DVCLive's posts, answered or not; ours are made after the program."""
    if "PARITY_POSTS" in os.environ:
        met = Path(os.environ["PARITY_POSTS"])
        assert until(lambda: met.exists() and met.stat().st_size >= posts), "the Studio has not met them"
