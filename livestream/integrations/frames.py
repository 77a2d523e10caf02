"""Which functions are being called: what two frameworks do not tell their callbacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType


def calling() -> Iterator[str]:
    """Give the names of the functions that this call is inside of, innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every frame's source: milliseconds
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back
