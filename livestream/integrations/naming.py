"""What a metric of a framework is called in a ``Live``: ``train/`` or ``eval/`` first, so that each split is a folder.

Others use this as well: transformers names its metrics by ``dvclive.utils.standardize_metric_name``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_SPLITS: Final = ("train", "val", "test")
_FREQUENCIES: Final = ("step", "epoch")


def standardize_metric_name(metric_name: str, framework: str) -> str:
    """Give a metric's name as DVCLive has it.

    Args:
        metric_name: As the framework calls it.
        framework: DVCLive's module for it, ``dvclive.keras`` for example; names of others stay as they are.
    """
    rule = _RULES.get(framework)
    return metric_name if rule is None else rule(metric_name)


def _fastai(name: str) -> str:
    return name.replace("train_", "train/").replace("valid_", "eval/")


def _huggingface(name: str) -> str:
    return name.replace("train_", "train/").replace("eval_", "eval/")


def _keras(name: str) -> str:
    return name.replace("val_", "eval/") if "val_" in name else f"train/{name}"


def _lightning(name: str) -> str:
    """``train_loss_step`` -> ``train/step/loss``; the split may have a prefix.

    A name that is no more than a split (on which DVCLive raises) stays as it is. Without a split nothing is taken for
    a frequency: ``step`` alone is a metric that Lightning users have.
    """
    split, *rest = name.split("_")
    if not rest or not split.endswith(_SPLITS):
        return name
    frequency = [rest.pop()] if rest[-1] in _FREQUENCIES else []
    return "/".join(part for part in (split, *frequency, "_".join(rest)) if part)


_RULES: Final[Mapping[str, Callable[[str], str]]] = {
    "dvclive.fastai": _fastai,
    "dvclive.huggingface": _huggingface,
    "dvclive.keras": _keras,
    "dvclive.lightning": _lightning,
    "dvclive.fabric": _lightning,
}
