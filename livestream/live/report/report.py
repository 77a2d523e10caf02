"""What is told to a run's report, and when it is drawn."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from livestream.events import Json, JsonObject
from livestream.live import writing, yaml
from livestream.live.folder import Folder
from livestream.live.metrics import MetricValue
from livestream.live.options import ReportMode
from livestream.live.report import browser, drawing, parts
from livestream.live.report.gallery import Gallery
from livestream.live.report.plots import Plots, Shown
from livestream.live.report.scalars import Scalars
from livestream.live.summary import to_text

logger = logging.getLogger("livestream")

MIN_PAUSE_S: Final = 5.0
PAUSE_FACTOR: Final = 20
"""Drawing takes at most one part in 21 of the time."""

_MAX_SAID: Final = 100


class Report:
    """A run's report; without a mode it takes news and forgets them. Callers take turns, under a lock of theirs.

    Attributes:
        mode: Which one it is; ``None`` for none.
        file: Where it is; ``None`` where it is no file.
    """

    def __init__(
        self,
        mode: ReportMode | None,
        directory: str,
        *,
        notebook: drawing.Notebook | None = None,
        in_browser: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin empty; ``open_report`` is the way here."""
        self.mode = mode
        self._folder = Folder(directory)
        self.file = self._folder.report_file(mode)
        self._notebook = notebook
        self._in_browser = in_browser
        self._clock = clock
        self._not_before = -1.0
        self._drawing = False
        self._failed = False
        self._said: set[str] = set()
        self._params: JsonObject | None = None
        self._params_changed = False
        self._summary: Mapping[str, Json] | None = None
        self._scalars = Scalars()
        self._gallery = Gallery()
        self._plots = {"sklearn": Plots(), "custom": Plots()}

    # -- what is told

    def row(self, name: str, step: int, value: MetricValue, timestamp_ms: int | None) -> None:
        """Take a row of a metric's history, checked."""
        if self.mode is not None:
            self._scalars.add(name, step, value, timestamp_ms)

    def params(self) -> None:
        """Take it that params.yaml was written: it is read when it is shown, once, as YAML gives texts and tuples."""
        self._params_changed = True

    def summary(self, summary: Mapping[str, Json]) -> None:
        """Take what metrics.json was written of: shown as it is when the report is drawn."""
        self._summary = summary

    def image(self, name: str, path: str) -> None:
        """Take an image's name and file, which may come later."""
        if self.mode is not None:
            self._gallery.add(name, path)

    def plot(self, folder: str, name: str, config: Mapping[str, Json], rows: Sequence[JsonObject]) -> None:
        """Take a plot.

        Args:
            folder: ``custom`` or ``sklearn``.
            name: As its file is called, without suffix.
            config: DVC's description of it.
            rows: Its rows, which nobody changes after.
        """
        if self.mode is not None:
            self._plots[folder].add(name, Shown(config, rows))

    def load(self) -> None:
        """Take what the run's folder holds, where a run is resumed; plots are shown once they are logged again."""
        if self.mode is None:
            return
        self._params_changed = os.path.exists(self._folder.params_file)
        try:
            self._scalars.load(self._folder.metrics_dir)
            self._gallery.load(self._folder.images_dir)
            with open(self._folder.metrics_file, encoding="utf-8") as file:
                self._summary = json.load(file)
        except FileNotFoundError:  # there is no summary
            pass
        except (OSError, ValueError, TypeError) as error:
            self._skip(self._folder.directory, error)

    # -- what is made of it

    def make(self, *, now: bool) -> None:
        """Draw the report, unless that was done a moment ago. Trouble is said, never raised.

        Args:
            now: Draw it in any case.
        """
        if self.mode is None or self._drawing:  # a signal's handler may end the run while it is drawn
            return
        began = self._clock()
        if not now and began < self._not_before:
            return
        self._drawing = True
        try:
            self._draw()
        except Exception:
            if not self._failed:
                self._failed = True
                logger.exception("livestream.report_not_made", extra={"mode": self.mode})
        finally:
            self._drawing = False
            ended = self._clock()
            self._not_before = ended + max(MIN_PAUSE_S, PAUSE_FACTOR * (ended - began))

    def _draw(self) -> None:
        if self.file is None:
            if self._notebook is not None:
                self._notebook.show(drawing.markdown(self._parts(), None, self._skip))
            return
        self._folder.make()
        draw = drawing.html if self.mode == "html" else drawing.markdown
        writing.try_put(self.file, draw(self._parts(), Path(self.file), self._skip))
        if self._in_browser and self.mode == "html":
            browser.show_once(self.file)

    def _parts(self) -> Iterator[parts.Part]:
        if self._params_changed or self._params is not None:
            yield parts.table("params.yaml", self._read_params)
        if (summary := self._summary) is not None:
            yield parts.table("metrics.json", lambda: _as_file(summary))
        yield from parts.histories(self._scalars.series(self._folder.metrics_dir))
        yield from parts.images(self._gallery.shown())
        for folder, plots in self._plots.items():
            yield from parts.plots(plots.shown(os.path.join(self._folder.plots_dir, folder)))

    def _read_params(self) -> JsonObject:
        if self._params is None or self._params_changed:
            self._params = yaml.load(self._folder.params_file)
            self._params_changed = False
        return self._params

    def _skip(self, name: str, reason: object) -> None:
        if name not in self._said and len(self._said) < _MAX_SAID:
            self._said.add(name)
            logger.warning("livestream.report_part_not_shown: %s: %s", name, reason, extra={"part": name})


def _as_file(summary: Mapping[str, Json]) -> JsonObject:
    """Give a summary as metrics.json has it: names are texts, tuples lists, numpy's numbers plain ones."""
    plain: JsonObject = json.loads(to_text(summary))
    return plain
