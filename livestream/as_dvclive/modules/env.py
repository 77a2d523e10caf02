"""Names of the variables that a ``Live`` reads."""

from __future__ import annotations

from typing import Final

DVCLIVE_LOGLEVEL: Final = "DVCLIVE_LOGLEVEL"
DVCLIVE_OPEN: Final = "DVCLIVE_OPEN"
DVCLIVE_RESUME: Final = "DVCLIVE_RESUME"
DVCLIVE_TEST: Final = "DVCLIVE_TEST"
DVC_EXP_BASELINE_REV: Final = "DVC_EXP_BASELINE_REV"
DVC_EXP_NAME: Final = "DVC_EXP_NAME"
DVC_ROOT: Final = "DVC_ROOT"
