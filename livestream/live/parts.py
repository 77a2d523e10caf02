"""What one ``Live`` works with: the files of its folder, its stream, DVC, the report.

Two things can be missing, and everything else goes on without them. A rank above 0, and a second process that finds the
folder locked, write no *files* (two writers of one folder destroy each other's). A rank above 0, and a run in
DVCLIVE_TEST's mode, have no *stream*.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import Any

from livestream.events import Json, JsonObject, Plot
from livestream.live.artifacts import Artifacts
from livestream.live.dvcyaml import Described, DvcYamlFile
from livestream.live.encoder import Encoder
from livestream.live.error import YAMLFileCorruptedError
from livestream.live.folder import Folder
from livestream.live.images import Picture
from livestream.live.metrics import MetricFiles, plain
from livestream.live.monitor import SystemMonitor
from livestream.live.options import LiveOptions
from livestream.live.params import Params
from livestream.live.plots import PlotFile
from livestream.live.project import Project
from livestream.live.report import Report
from livestream.live.resume import Row, drop_unfinished, rows_after
from livestream.live.stream import Stream
from livestream.live.summary import SummaryFile
from livestream.live.vscode import Signals
from livestream.spool.folder import FolderFile

logger = logging.getLogger("livestream")


class Parts:
    """The parts of a ``Live``; every method is called under ``lock``, which a forked child gets anew.

    Attributes:
        name: The experiment's.
        given: The folder by the name that the user gave it, for texts, and for DVC.
        folder: The folder, wherever the process goes.
        stream: ``None`` where nothing is sent.
        writes: Whether the folder is ours.
        claim: The lock of the folder; ``None`` where there is none to be had.
        is_known: The folder was written for this experiment before, and the spool remembers that.
    """

    def __init__(self, options: LiveOptions, project: Project, report: Report, *, writes: bool = True) -> None:
        """Open the files' parts; ``livestream.live.opening`` opens the others."""
        self.options = options
        self.project = project
        self.report = report
        self.name: str | None = None
        self.lock = threading.RLock()
        self.given = Folder(options.directory)
        self.folder = folder = Folder(os.path.abspath(options.directory))
        self.claim: FolderFile | None = None
        self.monitor: SystemMonitor | None = None
        self.stream: Stream | None = None
        self.writes = writes
        self.is_known = False
        self.metrics = MetricFiles(folder.metrics_dir)
        self.summary_file = SummaryFile(folder.metrics_file)
        self.parameters = Params(folder.params_file)
        self.dvc_file = os.path.abspath(options.dvc_file)
        self.dvcyaml = DvcYamlFile(options.dvc_file, options.directory)
        self.signals = Signals(None if project.dvc_root is None else str(project.dvc_root))
        self.artifacts = Artifacts(self.given.artifacts_dir)  # DVC names them by where they are from here
        self.encoder = Encoder()
        _LIVING.add(self)

    @property
    def last_whole_step(self) -> int | None:
        """The last step that ended, as the spool remembers it; ``None`` where it does not know this folder."""
        return self.stream.run.step if self.is_known and self.stream is not None else None

    def resume(self, step: int | None, summary: JsonObject) -> None:
        """Go on with what the folder holds.

        Args:
            step: The step that metrics.json holds; ``None`` where there is none.
            summary: What metrics.json holds.
        """
        if self.writes:
            self._read_params()
        kept = -1
        missed: list[Row] = []
        if self.is_known and self.stream is not None:
            run = self.stream.run
            known = max(_or_before(run.step), _or_before(run.kept_step))
            last = _or_before(step)
            # Where metrics.json is of another step than the spool's last, a kill, or a full disk, came between them.
            kept = max(known, last) if run.step == step else last
            fell_behind = step is not None and _or_before(run.step) > step
            self._drop_unfinished(kept, whole_steps=fell_behind)
            missed = rows_after(self.folder.metrics_dir, known)
        if self.writes:
            self.report.load()
        if self.stream is not None:
            self.stream.go_on(step, kept, summary, missed)

    def _read_params(self) -> None:
        try:
            self.parameters.read()
        except YAMLFileCorruptedError:
            raise YAMLFileCorruptedError(self.given.params_file) from None

    def _drop_unfinished(self, kept: int, *, whole_steps: bool) -> None:
        """Cut off what will be logged again: the rows of a step that never ended.

        Rows of several steps are no such, but where the folder fell behind (``whole_steps``): their training ends its
        steps in another way than by ``next_step``.
        """
        histories = self.folder.metrics_dir
        steps = {row.step for row in rows_after(histories, kept)} if self.writes else set()
        if len(steps) == 1 or (steps and whole_steps):
            cut = drop_unfinished(histories, kept)
            logger.warning("livestream.unfinished_rows_dropped", extra={"step": kept, "rows": cut})

    def displace(self) -> None:
        """End what a newer run of this process has taken the folder from: it writes and sends no more."""
        if self.monitor is not None:
            self.monitor.end()
        with self.lock:
            self.writes = False
            self.encoder.drop()
            self.metrics.close()
            if self.stream is not None:
                self.stream.end(None, None)

    # -- what is logged

    def row(self, name: str, level_name: str, step: int, timestamp_ms: int | None, value: Json) -> None:
        """Take one value of a metric.

        Args:
            name: As it was logged: what the file is called.
            level_name: Its levels in the summary, joined by ``/``.
            step: The step.
            timestamp_ms: Milliseconds since the epoch, where the history shows them.
            value: Checked.
        """
        if self.writes:
            self.metrics.append(name, step, value, timestamp_ms)
            self.report.row(name, step, value, timestamp_ms)
        if self.stream is not None:
            self.stream.row(level_name, step, timestamp_ms, plain(value))

    def update_params(self, values: dict[str, Any], step: int) -> None:
        """Take parameters.

        Raises:
            InvalidParameterTypeError: YAML cannot hold one of them.
        """
        if self.writes:
            self.parameters.update(values)
            self.report.params()
        if self.stream is not None:
            self.stream.params(values, step)

    def image(self, picture: Picture, path: str, step: int) -> None:
        """Take an image: to the stream at once, to its file by another thread."""
        if self.stream is not None:
            self.stream.image(picture.name, step, picture.pixels)
        if self.writes:
            self.encoder.put(picture, path)
            self.report.image(picture.name, path)

    def plot(self, plot: PlotFile, content: Any, sent: Plot) -> None:
        """Take a plot.

        Args:
            plot: What its file is called.
            content: What its file holds.
            sent: What the stream gets.
        """
        if self.writes:
            plot.write(content)
            self.report.plot(sent.folder, plot.name, plot.config, sent.rows)
        if self.stream is not None:
            self.stream.plot(plot.name, sent)

    # -- what is written at the end of a step

    def write_summary(self, summary: JsonObject) -> None:
        """Write metrics.json, if it changed."""
        if self.writes:
            self.metrics.verify()
            self.summary_file.write(summary)
            self.report.summary(summary)

    def write_dvcyaml(self, described: Described) -> None:
        """Write dvc.yaml, if it changed."""
        if self.writes:
            self.dvcyaml.write(described)

    def write_report(self, *, now: bool) -> None:
        """Bring the report up to date; ``now``: even if that was done a moment ago."""
        if self.writes:
            if now:
                self.encoder.wait()
            self.report.make(now=now)

    def send(self, step: int, summary: JsonObject, *, failed: bool = False) -> None:
        """Send what belongs to the step; ``failed``: an exception has ended the run."""
        if self.stream is not None:
            self.stream.sync(step, summary, failed=failed)

    def close(self) -> None:
        """Let go of what an ended run holds; logging after it opens what it needs again."""
        self.encoder.wait()
        self.metrics.close()
        if self.claim is not None:
            self.claim.release()

    def after_fork(self) -> None:
        """In a forked child: the locks of the parent's threads stay behind, and so does what it will send itself."""
        self.lock = threading.RLock()
        if self.stream is not None:
            self.stream.forget(self.lock)


def _or_before(step: int | None) -> int:
    return -1 if step is None else step


_LIVING: weakref.WeakSet[Parts] = weakref.WeakSet()


def _after_fork() -> None:
    for parts in list(_LIVING):
        parts.after_fork()


os.register_at_fork(after_in_child=_after_fork)
