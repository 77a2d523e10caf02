"""Metrics."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from livestream.as_dvclive.modules.plots.base import Data
from livestream.live.metrics import NUMPY_FLOATS, NUMPY_INTS, MetricFiles, check_value, parts_of


class Metric(Data):
    """A metric and its history."""

    suffixes = (".csv", ".tsv")
    subfolder = "metrics"

    @property
    def output_path(self) -> Path:
        """Its history."""
        return self._made(f"{self.name}.tsv")

    @property
    def summary_keys(self) -> list[str]:
        """Its levels in metrics.json."""
        return list(parts_of(self.name))

    @staticmethod
    def could_log(val: object) -> bool:
        """Tell whether a value is an int, float, str, bool or a scalar of numpy's."""
        kind = val.__class__
        return isinstance(val, int | float | str) or (
            kind.__module__ == "numpy" and (kind.__name__ in NUMPY_INTS or kind.__name__ in NUMPY_FLOATS)
        )

    def dump(self, val: Any, **kwargs: Any) -> None:
        """Append a value at ``step``; ``timestamp=True`` puts the time before it."""
        files = MetricFiles(str(self.output_folder))
        timestamp_ms = int(time.time() * 1000) if kwargs.get("timestamp") else None
        files.append(self.name, self.step, check_value(self.name, val), timestamp_ms)
        files.close()
