"""What ``import dvclive`` gives: ``Live``, and DVCLive's modules as attributes.

A module of DVCLive that only DVCLive itself has a use for (``dvclive.studio``: what it posts with) has no home here;
importing it fails as that of any other module that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from livestream.live import Live

__all__ = ["Live"]

_OURS: Final = "livestream.as_dvclive.modules"
_ATTRIBUTES: Final = {
    "dvc": f"{_OURS}.dvc",
    "env": f"{_OURS}.env",
    "error": "livestream.live.error",
    "live": "livestream.live.live",
    "monitor_system": "livestream.live.monitor",
    "plots": f"{_OURS}.plots",
    "report": f"{_OURS}.report",
    "serialize": f"{_OURS}.serialize",
    "utils": f"{_OURS}.utils",
    "vscode": f"{_OURS}.vscode",
}
_FRAMEWORKS: Final = ("fabric", "fastai", "huggingface", "keras", "lgbm", "lightning", "optuna", "xgb")
_PLOTS: Final = ("base", "custom", "image", "metric", "sklearn", "utils")

HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dvclive": _OURS,
        **{f"dvclive.{name}": home for name, home in _ATTRIBUTES.items()},
        **{f"dvclive.plots.{name}": f"{_OURS}.plots.{name}" for name in _PLOTS},
        **{f"dvclive.{name}": f"livestream.integrations.{name}" for name in _FRAMEWORKS},
    }
)
"""Our module in the place of each of DVCLive's."""

PACKAGES: Final = frozenset({"dvclive", "dvclive.plots"})


def __getattr__(name: str) -> object:
    if name == "Live":
        from livestream.live import Live  # noqa: PLC0415 - importing dvclive should not cost what using it does

        globals()["Live"] = Live
        return Live
    if name in _ATTRIBUTES:  # which import dvclive has imported
        return import_module(_ATTRIBUTES[name])
    raise AttributeError(f"module 'dvclive' has no attribute {name!r}")
