"""Which custom and scikit-learn plots are shown: the newest, as many rows as a page can carry."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from livestream.events import Json, JsonObject
from livestream.live.report.scalars import listed

logger = logging.getLogger("livestream")

MAX_PLOT_ROWS: Final = 100_000
"""Rows of all custom plots together, and of all of scikit-learn's."""

SUFFIX: Final = ".json"


class Shown(msgspec.Struct, frozen=True):
    """One plot.

    Attributes:
        config: DVC's description: template, x, y, title, x_label, y_label.
        rows: The rows; not changed by anybody.
    """

    config: Mapping[str, Json]
    rows: Sequence[JsonObject]


class Plots:
    """The plots of one folder, by name."""

    def __init__(self) -> None:
        """Begin without any."""
        self._plots: dict[str, Shown] = {}  # the newest is last
        self._rows = 0
        self._cut = False

    def add(self, name: str, plot: Shown) -> None:
        """Take a plot, which may be there already; the oldest make room for it."""
        before = self._plots.pop(name, None)
        self._rows += len(plot.rows) - (0 if before is None else len(before.rows))
        self._plots[name] = plot
        while self._rows > MAX_PLOT_ROWS:
            oldest = self._plots.pop(next(iter(self._plots)))
            self._rows -= len(oldest.rows)
            if not self._cut:
                self._cut = True
                logger.warning("livestream.report_leaves_out_plots: it shows the newest, of %s rows", MAX_PLOT_ROWS)

    def shown(self, folder: str) -> Iterator[tuple[str, Shown]]:
        """Give the plots in the order in which their folder lists them."""
        for name in listed(folder, SUFFIX):
            plot = self._plots.get(name)
            if plot is not None:
                yield name, plot
