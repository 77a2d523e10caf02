"""Imported as ``dvclive`` in what ``python -m livestream.as_dvclive`` runs and starts: ours takes its place.

A python of another environment gets here as well, by the ``PYTHONPATH`` that it inherits. Where it has no livestream,
this folder leaves its path, and its own dvclive is imported, or is missing, as without us.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

del sys.modules[__name__]
try:
    from livestream.as_dvclive import install_as_dvclive, modules
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "livestream":
        raise
    _is_ours = False
else:
    _is_ours = True

if _is_ours:
    install_as_dvclive()
    sys.modules[__name__] = modules
else:
    _folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _folder]
    import_module(__name__)
