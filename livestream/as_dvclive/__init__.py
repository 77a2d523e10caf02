"""This package under DVCLive's name: code of others that imports ``dvclive`` runs on it untouched.

    import livestream
    livestream.install_as_dvclive()      # before anything imports dvclive

or, without a change to the script, ``python -m livestream.as_dvclive train.py --its arguments``.

``import dvclive.x`` then gives our module in its place (``modules.HOMES`` says which), imported when it is first asked
for. An import hook in front of all others does that, so that it does not matter whether DVCLive is installed, or that a
training's folder is called ``dvclive``. What asks whether DVCLive is there (``find_spec``) and which version
(``importlib.metadata``) is answered as well.
"""

from __future__ import annotations

import logging
import sys

from livestream.as_dvclive.finder import Finder

logger = logging.getLogger("livestream")


def install_as_dvclive() -> None:
    """Answer imports of ``dvclive`` in this process with our modules.

    Call it before anything imports dvclive. What has it already keeps it, and a warning says so. Processes that are
    started afresh (torchrun, a spawned worker) call it again, in their own run of the script.
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    real = [name for name in sys.modules if name.partition(".")[0] == "dvclive"]
    for name in real:
        del sys.modules[name]
    if real:
        logger.warning("livestream.dvclive_imported_before", extra={"modules": sorted(real)})
    sys.meta_path.insert(0, Finder())
