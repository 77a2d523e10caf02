"""Carries what a training measures to a Studio, live, and loses none of it.

>>> import livestream
>>> run = livestream.init("my-experiment")
>>> run.emit({"train/loss": 0.4}, step=10)
>>> run.end()

Names are imported when they are first used, so that ``import livestream`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from livestream._version import __version__

if TYPE_CHECKING:
    from livestream.as_dvclive import install_as_dvclive
    from livestream.client.post import post_live_metrics
    from livestream.errors import ConfigError, InvalidEventError, LivestreamError
    from livestream.live import Live
    from livestream.run import Run
    from livestream.training import emit, init

__all__ = [
    "ConfigError",
    "InvalidEventError",
    "Live",
    "LivestreamError",
    "Run",
    "__version__",
    "emit",
    "init",
    "install_as_dvclive",
    "post_live_metrics",
]

_HOMES = {
    "ConfigError": "livestream.errors",
    "InvalidEventError": "livestream.errors",
    "Live": "livestream.live",
    "LivestreamError": "livestream.errors",
    "Run": "livestream.run",
    "emit": "livestream.training",
    "init": "livestream.training",
    "install_as_dvclive": "livestream.as_dvclive",
    "post_live_metrics": "livestream.client.post",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
