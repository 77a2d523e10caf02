"""Imported as ``dvclive`` in a process that ``python -m livestream.as_dvclive`` has started: ours takes its place."""

from __future__ import annotations

import sys

from livestream.as_dvclive import install_as_dvclive, modules

del sys.modules[__name__]
install_as_dvclive()
sys.modules[__name__] = modules
