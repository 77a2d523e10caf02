"""``Live``: DVCLive's logger on the spool, at a cost that does not grow with the run.

A call changes memory, the one file that it is about, and the spool; nothing that was written is read again. When
``log_metric`` returns its row is in the TSV file; when ``next_step`` returns ``metrics.json`` holds the step, and so
does the spool, whatever happens to the process. Image files, reports and ``dvc exp save`` come after, and lose neither.

docs/dvclive.md lists where this differs from DVCLive, and why.
"""

from __future__ import annotations

import builtins
import json
import logging
import os
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from livestream.ending import is_failure
from livestream.events import JsonObject
from livestream.live.dvcyaml import Described
from livestream.live.error import InvalidDataTypeError
from livestream.live.logs import LiveLogs
from livestream.live.monitor import SystemMonitor
from livestream.live.opening import open_parts
from livestream.live.options import LiveArguments, read_options
from livestream.live.saving import Saving

if TYPE_CHECKING:
    from dvc.repo import Repo

logger = logging.getLogger("livestream")


class Live(LiveLogs):
    """Logs metrics, parameters, images, plots and artifacts of one training, for DVC, for its folder and for a Studio.

    As a context manager it ends itself; where an exception leaves it, the experiment ends as failed.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - DVCLive's signature
        self,
        dir: str | os.PathLike[str] = "dvclive",  # noqa: A002 - DVCLive's name for it
        resume: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        report: Literal["md", "notebook", "html"] | None = None,
        save_dvc_exp: bool = True,  # noqa: FBT001, FBT002 - DVCLive's signature
        dvcyaml: str | os.PathLike[str] | bool | None = "dvc.yaml",  # noqa: FBT001 - DVCLive's signature
        cache_images: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        exp_name: str | None = None,
        exp_message: str | None = None,
        monitor_system: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
    ) -> None:
        """Begin a run in a folder. What a run before it wrote there is removed, unless this one resumes it.

        Args:
            dir: The folder.
            resume: Go on after the last step that the folder holds, as the same experiment. Also DVCLIVE_RESUME.
            report: A report that is kept up to date in the folder (``html``, ``md``) or in the notebook.
            save_dvc_exp: ``end`` saves a DVC experiment; not inside a DVC pipeline, where DVC does.
            dvcyaml: The dvc.yaml that tells DVC of the files; ``False`` or ``None``: none is written by itself.
            cache_images: ``end`` puts the images into DVC's cache.
            exp_name: The experiment's name; else DVC_EXP_NAME, else a readable random one.
            exp_message: Shown with the experiment, cut at 72 characters in the Studio.
            monitor_system: Log CPU, memory, disk and GPU, too.

        Raises:
            InvalidReportModeError: ``report`` is none of them.
            InvalidDvcyamlError: ``dvcyaml`` names a file that is not called dvc.yaml.
            ConfigError: A LIVESTREAM_* variable cannot be used.
            OSError: The folder cannot be made.
        """
        arguments = LiveArguments(
            dir=dir,
            resume=resume,
            report=report,
            save_dvc_exp=save_dvc_exp,
            dvcyaml=dvcyaml,
            cache_images=cache_images,
            exp_name=exp_name,
            exp_message=exp_message,
        )
        options = read_options(arguments, os.environ)
        super().__init__(open_parts(options, os.environ))
        self._resume = options.resume  # DVCLive's logger for Lightning asks for it
        self._exp_name = self._parts.name  # users name the saved experiment by it
        self._experiment_rev: str | None = None
        self._inside_with = False
        self._error: BaseException | None = None
        self._saving = Saving(options, self._parts.project)
        if self._saving.saves and self._parts.writes:
            self._parts.signals.started(self._exp_name or "")
        if options.resume:
            self._go_on()
        if monitor_system:
            self.monitor_system()

    def _go_on(self) -> None:
        try:
            self.summary = self.read_latest()
        except ValueError as error:  # a power cut may leave half a file
            step = self._parts.last_whole_step
            if step is None:
                raise
            logger.warning("livestream.summary_not_readable", extra={"file": self.metrics_file, "error": str(error)})
            self.summary = {"step": step}
        last = self.summary.get("step")
        self._parts.resume(last, self.summary)
        self._step = 0 if last is None else last + 1

    @property
    def _dvc_repo(self) -> Repo | None:
        """Give DVC's repository to scripts of users that ask DVCLive for it."""
        return self._parts.project.repo

    # -- steps

    def next_step(self) -> None:
        """End a step: when this returns, the folder and the spool hold it."""
        with self._parts.lock:
            if self._step is None:
                self._step = 0
            self.sync()
            if self._parts.writes:
                self._parts.signals.step(self._step)
            self._step += 1

    def sync(self) -> None:
        """Write and send what the present step has so far, without going on to the next."""
        self._sync(report_now=False)

    def _sync(self, *, report_now: bool) -> None:
        with self._parts.lock:
            self.make_summary()
            if self._parts.options.writes_dvcyaml:
                self.make_dvcyaml()
            self._parts.write_report(now=report_now)
            self._parts.send(self.step, self.summary, failed=self._error is not None)

    def post_data_to_studio(self) -> None:
        """Send what the present step has so far; ``sync`` and ``next_step`` do."""
        with self._parts.lock:
            self._parts.send(self.step, self.summary)

    def end(self) -> None:
        """End the run: last sync, ``dvc exp save``, the end of the experiment in the Studio (without waiting for it).

        Inside ``with`` it does nothing: the end of the block ends the run.
        """
        if self._inside_with:
            return
        parts = self._parts
        if parts.monitor is not None:
            parts.monitor.end()
        with parts.lock:
            if self._has_images and parts.options.cache_images:
                self.cache(self._folder.images_dir)
            if "step" in self.summary:  # next_step was called before: the run ends at the step it had
                self._step = self.summary["step"]
            self._sync(report_now=True)
            self.save_dvc_exp()
            if parts.stream is not None:
                parts.stream.end(self._error, self._experiment_rev)
            if parts.writes:
                parts.signals.ended()
            parts.close()

    def __enter__(self) -> Self:
        """Give the run, which the end of the block ends."""
        self._inside_with = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run; an exception makes it a failed one, and goes on."""
        self._inside_with = False
        if is_failure(error):
            self._error = error
        self.end()

    # -- files

    def make_summary(self) -> None:
        """Write ``summary`` to metrics.json."""
        with self._parts.lock:
            if self._step is not None:
                self.summary["step"] = self._step
            self._parts.write_summary(self.summary)

    def make_dvcyaml(self) -> None:
        """Write the dvc.yaml that tells DVC what the files of the run are."""
        with self._parts.lock:
            self._parts.write_dvcyaml(
                Described(
                    directory=self._parts.folder.directory,
                    dvc_file=self._parts.dvc_file,
                    params=bool(self._parts.parameters.values),
                    metrics=bool(self._levels or self.summary),
                    histories=self._parts.metrics.exists,
                    images=self._has_images,
                    plots=tuple((plot.path, plot.config) for plot in self._plots.values()),
                    artifacts=self._parts.artifacts.described,
                )
            )

    def make_report(self) -> None:
        """Bring the report up to date at once."""
        with self._parts.lock:
            self._parts.write_report(now=True)

    def read_latest(self) -> JsonObject:
        """Read metrics.json; ``{}`` where there is none.

        Raises:
            ValueError: It is not JSON.
        """
        try:
            with open(self.metrics_file, encoding="utf-8") as file:
                latest: JsonObject = json.load(file)
        except FileNotFoundError:
            return {}
        return latest

    def read_step(self) -> int:
        """Read the step that metrics.json holds; 0 where there is none."""
        step: int = self.read_latest().get("step", 0)
        return step

    # -- DVC

    def log_artifact(  # noqa: PLR0913, PLR0917 - DVCLive's signature
        self,
        path: str | os.PathLike[str],
        type: str | None = None,  # noqa: A002 - DVCLive's name for it
        name: str | None = None,
        desc: str | None = None,
        labels: list[str] | None = None,
        meta: dict[str, Any] | None = None,
        copy: bool = False,  # noqa: FBT001, FBT002 - DVCLive's signature
        cache: bool = True,  # noqa: FBT001, FBT002 - DVCLive's signature
    ) -> None:
        """Track a file or folder with DVC, and describe it in dvc.yaml. Needs a DVC repository; else a warning.

        Args:
            path: The file or folder.
            type: ``model`` puts it into the model registry.
            name: Its name there; else the file's name without suffix.
            desc: What it is.
            labels: Words to find it by.
            meta: Anything else.
            copy: Track a copy below ``artifacts_dir`` instead.
            cache: Put it into DVC's cache.

        Raises:
            InvalidDataTypeError: ``path`` is no path.
            InvalidParameterTypeError: YAML cannot hold what is said of it.
            OSError: It cannot be copied.
        """
        if not isinstance(path, str | PurePath):
            raise InvalidDataTypeError(str(path), builtins.type(path))
        if not self._parts.project.tracks:
            logger.warning("A DVC repo is required to log artifacts. Skipping `log_artifact(%s)`.", path)
            return
        with self._parts.lock:
            if not self._parts.writes:
                return
            artifacts = self._parts.artifacts
            tracked = artifacts.copy(path) if copy else path
            if cache:
                self.cache(tracked)
            artifacts.describe(
                os.path.abspath(tracked), name, {"type": type, "desc": desc, "labels": labels, "meta": meta}
            )

    def cache(self, path: str | os.PathLike[str]) -> None:
        """Put a file or folder into DVC's cache (``dvc add``)."""
        with self._parts.lock:
            if self._parts.writes:
                self._parts.encoder.wait()
                self._saving.cache(os.fspath(path))

    def save_dvc_exp(self) -> None:
        """Save a DVC experiment, where this run saves one; ``end`` does."""
        with self._parts.lock:
            if not self._parts.writes:
                return
            self._parts.encoder.wait()
            self._experiment_rev = self._saving.save(self._exp_name) or self._experiment_rev
            self._parts.signals.saved()

    # -- the machine

    def monitor_system(
        self, interval: float = 0.05, num_samples: int = 20, directories_to_monitor: dict[str, str] | None = None
    ) -> None:
        """Log CPU, memory, disk and GPU from a thread of its own.

        Args:
            interval: Seconds between samples, 0.1 at most.
            num_samples: Samples that make one value, 1 to 30.
            directories_to_monitor: Names to folders whose disks are watched; else ``{"main": "/"}``.

        Raises:
            ValueError: A name in ``directories_to_monitor`` is no plain name.
            MissingPackageError: psutil is not installed.
        """
        if self._parts.monitor is not None:
            self._parts.monitor.end()
        self._parts.monitor = SystemMonitor(
            lambda name, value, plot: self.log_metric(name, value, timestamp=True, plot=plot),
            interval,
            num_samples,
            {"main": "/"} if directories_to_monitor is None else directories_to_monitor,
        )
