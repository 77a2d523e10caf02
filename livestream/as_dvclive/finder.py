"""The import hook: ``dvclive`` and its modules are ours, and there is a distribution of that name.

A module takes its place by replacing itself in ``sys.modules`` while it is being loaded, which the import system allows
for (importlib._bootstrap, ``_load_unlocked``). So ``dvclive.error`` is ``livestream.live.error`` itself, not a copy:
one class of each exception, whichever name it is caught by.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

from livestream.as_dvclive.modules import HOMES, PACKAGES

DISTRIBUTION_PATH: Final = str(Path(__file__).with_name("distribution"))
"""A folder for a path that has no DVCLive: answers for its version."""

_CONTEXT: Final = DistributionFinder.Context()


class Finder(DistributionFinder):
    """Finds ``dvclive``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find one of its modules; none that we have no part for."""
        del path, target
        home = HOMES.get(fullname)
        if home is None:
            return None
        return ModuleSpec(fullname, _Substitute(home), origin=home, is_package=fullname in PACKAGES)

    def find_distributions(self, context: DistributionFinder.Context = _CONTEXT) -> Iterable[Distribution]:
        """Answer for its version where DVCLive itself is not installed."""
        is_asked_for = context.name is None or _normal(context.name) == "dvclive"
        if is_asked_for and DISTRIBUTION_PATH not in context.path and not is_installed(context.path):
            yield _distribution()


class _Substitute(Loader):
    """Puts a module in another's place."""

    def __init__(self, home: str) -> None:
        self._home = home

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(self._home)


def is_installed(path: Sequence[str] | None = None) -> bool:
    """Tell whether a path, or else python's, has DVCLive itself."""
    elsewhere = [folder for folder in (sys.path if path is None else path) if folder != DISTRIBUTION_PATH]
    found = MetadataPathFinder.find_distributions(DistributionFinder.Context(name="dvclive", path=elsewhere))
    return next(iter(found), None) is not None


def _distribution() -> Distribution:
    (folder,) = Path(DISTRIBUTION_PATH).glob("dvclive-*.dist-info")
    return Distribution.at(folder)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
