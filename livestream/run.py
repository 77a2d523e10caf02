"""What training code touches: ``init()``, ``emit()`` and ``Run``.

``emit`` checks its arguments, encodes one event and appends it to the spool; when it returns the event is safe. After
the arguments are checked nothing here raises into the training and nothing waits for a network: that is the daemon's.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import msgspec
import orjson

from livestream import config, content, ending, names
from livestream._version import __version__
from livestream.events import Data, Done, Experiment, Image, Json, Problem, Scalar, Start, encode
from livestream.identity import Identity, RunArguments, identify
from livestream.spool.blobs import INLINE_BYTES
from livestream.spool.delivery import wait_for_delivery
from livestream.spool.quota import Weight
from livestream.spool.session import Destination, Session, SessionOptions

logger = logging.getLogger("livestream")

MAX_MESSAGE_LENGTH: Final = 72
"""Studio shows the message as a commit's title (dvc-studio-client cuts it there)."""

PARENT_RUN: Final = "LIVESTREAM_PARENT_RUN"
"""Set for the workers that multiprocessing spawns: their default run adds to their parent's experiment."""

_FAST_TYPES: Final = frozenset({float, int})
_INT64: Final = 2**63


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What ``init`` found out about how to record.

    Attributes:
        recording: This rank records.
        contributor: Another process is the experiment's primary writer.
        metric_prefix: ``rank3`` where every rank records.
    """

    message: str | None = None
    settings: config.Settings
    start_daemon: bool = True
    recording: bool = True
    contributor: bool = False
    metric_prefix: str = ""


class Run:
    """One training's stream. Made by ``init``; as a context manager it ends as failed where an exception leaves it.

    Safe from any thread. In a forked child it goes on as a contributor, which adds to the experiment and never ends it.

    Attributes:
        name: The experiment's name.
        experiment: Its whole identity.
    """

    def __init__(self, identity: Identity, options: RunOptions) -> None:
        """Open the spool; ``init`` is the way here."""
        self.name = identity.experiment.name
        self.experiment = identity.experiment
        self._identity = identity
        self._options = options
        self._names = content.Names()
        self._problems: list[Problem] = []
        self._failed = False
        self._ended = False
        self._step = -1
        self._session: Session | None = None
        if options.recording:
            self._session = Session(self._session_options(), os.environ, self._opening)
            self._step = -1 if self._session.last_step is None else self._session.last_step
            ending.watch(self, signals=options.settings.signals)

    @property
    def step(self) -> int | None:
        """The last step recorded; ``None`` before the first."""
        return None if self._step < 0 else self._step

    @property
    def ended(self) -> bool:
        """Whether the run takes nothing more."""
        return self._ended

    @property
    def refused(self) -> dict[str, int]:
        """Events that were refused, by reason (``quota``, ``disk``, ...)."""
        return {} if self._session is None else self._session.refused

    def emit(
        self,
        metrics: Mapping[str, Json] | None = None,
        *,
        step: int | None = None,
        params: Mapping[str, Json] | None = None,
        images: Mapping[str, Json] | None = None,
        plots: Mapping[str, Json] | None = None,
        timestamp: Json = None,
    ) -> int | None:
        """Record one step's news; when this returns, it survives any kill.

        Args:
            metrics: Names to numbers (int, float, str, bool, numpy scalars, one-element arrays and tensors). Names with
                ``/`` nest. NaN and infinities are sent as text.
            step: A whole number; left out, one past the last.
            params: Names to values; dicts and lists nest.
            images: File names (``samples/10.png``) to the bytes of a PNG, JPEG, GIF or WebP file, a path, an array
                (HxW, HxWx1/3/4, uint8 or floats from 0 to 1), a Pillow image or a matplotlib figure.
            plots: Names to lists of row dicts, or to ``{"data": rows, "template": ..., "x": ..., "y": ...}``.
            timestamp: ``True``, seconds since the epoch or a datetime: put beside the step in this event's rows.

        Returns:
            The event's sequence number in its writer's queue; ``None`` where it was refused (quota, disk), which is
            counted, or where this rank does not record.

        Raises:
            InvalidEventError: An argument cannot be sent; nothing of this event was stored.
        """
        session = self._session
        if session is None:
            return None
        if step is None:
            step = self._step + 1
        elif type(step) is not int or not -_INT64 <= step < _INT64:
            step = content.step(step)
        if params is None and images is None and plots is None and timestamp is None:
            payload = self._encode_metrics({} if metrics is None else metrics, step)
            if len(payload) < INLINE_BYTES:
                self._step = step
                try:
                    return session.append(payload, Weight.SCALARS, step)
                except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
                    self._note_trouble(error)
                    return None
        return self._emit_rest(session, step, _News(metrics, params, images, plots, timestamp))

    def _encode_metrics(self, metrics: Mapping[str, Json], step: int) -> bytes:
        event = {"type": "data", "time": time.time(), "step": step, "metrics": self._plain(metrics)}
        try:
            return orjson.dumps(event)
        except orjson.JSONEncodeError:  # a whole number of more than 64 bits: the careful way names it
            event["metrics"] = content.metrics(metrics, self._names)
            return orjson.dumps(event)

    def _plain(self, metrics: Mapping[str, Json]) -> Mapping[str, Scalar]:
        """Let plain finite numbers under known names pass as they are; everything else goes the careful way."""
        if type(metrics) is dict and metrics.keys() <= self._names.known:
            values = metrics.values()
            if _FAST_TYPES.issuperset(map(type, values)):
                try:
                    if isfinite(sum(values)):
                        return metrics
                except OverflowError:
                    pass
        return content.metrics(metrics, self._names)

    def _emit_rest(self, session: Session, step: int, news: _News) -> int | None:
        now = time.time()
        metrics = {} if news.metrics is None else content.metrics(news.metrics, self._names)
        params = {} if news.params is None else content.params(news.params)
        pixels = content.images(news.images)
        plots = content.plots(news.plots)
        timestamp = None if news.timestamp is None else content.timestamp_ms(news.timestamp, now)
        self._step = step
        try:
            images = _store_images(session, pixels)
            if len(images) < len(pixels):
                session.trim()
            event = Data(
                time=now, step=step, metrics=metrics, params=params, images=images, plots=plots, timestamp=timestamp
            )
            return session.record(event, Weight.PLOTS if plots else Weight.SCALARS, step)
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._note_trouble(error)
            return None

    def _note_trouble(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            logger.error("livestream.emit_failed", exc_info=error)

    # -- the end

    def end(self, *, wait_s: float | None = None) -> int | None:
        """End the experiment (or, in a contributor, this process's part in it); returns in milliseconds.

        Args:
            wait_s: Wait this long at most for delivery.

        Returns:
            With ``wait_s``, how many events are not delivered yet; else ``None``.
        """
        session = self._session
        if session is None:
            return None if wait_s is None else 0
        if not self._ended:
            self._ended = True
            ending.unwatch(self)
            try:
                if session.role == "primary":
                    session.record(Done(time=time.time(), errors=self._problems), Weight.EDGE)
                session.end()
            except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
                self._note_trouble(error)
        return None if wait_s is None else wait_for_delivery(session, wait_s)

    def __enter__(self) -> Self:
        """Give the run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run; an exception makes it a failed one, and goes on."""
        if kind is not None and not (isinstance(error, SystemExit) and not error.code):
            self.note_failure(ending.problem_of(kind, error))
        self.end()

    def note_failure(self, problem: Problem) -> None:
        """Say why the experiment ends as failed."""
        if not self._ended:
            self._problems.append(problem)

    def note_signal(self, number: int) -> None:
        """Leave word of a signal that ends this process; takes no lock."""
        if self._session is not None:
            self._session.note_signal(number)

    def end_at_exit(self) -> None:
        """End with the process; LIVESTREAM_END_WAIT_S bounds a wait for delivery (60 s under CI)."""
        wait_s = self._options.settings.end_wait_s
        left = self.end(wait_s=wait_s if wait_s > 0 else None)
        if left:
            logger.warning("livestream.exit_before_delivery", extra={"events": left})

    # -- what the session asks

    def _opening(self) -> bytes:
        message = self._options.message
        cut = None if message is None else message[:MAX_MESSAGE_LENGTH]
        return encode(Start(time=time.time(), message=cut, subdir=self._identity.subdir))

    def _session_options(self) -> SessionOptions:
        identity, options = self._identity, self._options
        token = identity.token
        return SessionOptions(
            spool=options.settings.spool,
            experiment=identity.experiment,
            directory=identity.directory,
            version=__version__,
            metric_prefix=options.metric_prefix,
            destination=Destination(
                url=identity.url,
                endpoint=identity.endpoint,
                config_folder=str(identity.config_folder),
                offline=identity.offline,
                token=None if token is None else token.reveal,
            ),
            mode=options.settings.spool_mode,
            durability=options.settings.durability,
            quota_bytes=options.settings.quota_bytes,
            start_daemon=options.start_daemon,
            contributor=options.contributor,
            fingerprint=config.fingerprint,
        )


class _News(msgspec.Struct, frozen=True):
    metrics: Mapping[str, Json] | None
    params: Mapping[str, Json] | None
    images: Mapping[str, Json] | None
    plots: Mapping[str, Json] | None
    timestamp: Json


def _store_images(session: Session, pixels: dict[str, content.Pixels]) -> dict[str, Image]:
    stored: dict[str, Image] = {}
    for name, image in pixels.items():
        size = len(image.content)
        described = Image(
            format=image.format, size=size, height=image.height, width=image.width, channels=image.channels
        )
        if (placed := session.store_image(described, image.content)) is not None:
            stored[name] = placed
    return stored


def init(  # noqa: PLR0913 - the documented signature; each argument is one thing that a user says
    name: str | None = None,
    *,
    message: str | None = None,
    dir: str | os.PathLike[str] = "dvclive",  # noqa: A002 - DVCLive's name for it
    spool: str | os.PathLike[str] | None = None,
    durability: Literal["process", "power"] | None = None,
    repo_url: str | None = None,
    baseline_sha: str | None = None,
    subdir: str | None = None,
    daemon: Literal["auto", "off"] | None = None,
    ranks: Literal["first", "all"] = "first",
) -> Run:
    """Begin, or resume, an experiment.

    Args:
        name: Its name; else DVC_EXP_NAME, else made of the Slurm or torchelastic job, else a readable random one. A run
            with the name of an earlier one continues it.
        message: Shown as the experiment's commit message, cut at 72 characters.
        dir: The folder its files are named after in the Studio.
        spool: Where events are kept until they are delivered; else LIVESTREAM_SPOOL, else the user's state folder.
        durability: ``process`` (the default): survives any kill at once and a power cut after a second. ``power``: a
            power cut at once, for an fsync an event. Else LIVESTREAM_DURABILITY.
        repo_url: The Git repository the Studio knows; else DVC_STUDIO_REPO_URL, DVC's config, the Git remote.
        baseline_sha: The commit the experiment starts from; else DVC_EXP_BASELINE_REV, Git's HEAD, 40 zeros.
        subdir: The DVC project below the Git root; else found by its ``.dvc`` folder.
        daemon: ``off``: start none; deliver with ``livestream sync`` later. Else LIVESTREAM_DAEMON.
        ranks: ``first``: with several ranks only rank 0 records. ``all``: every rank does, below ``rank{n}/``.

    Raises:
        InvalidEventError: An argument cannot be used.
        ConfigError: A LIVESTREAM_* variable cannot be used.
    """
    environ = os.environ
    content.check_choice("durability", durability, ("process", "power", None))
    content.check_choice("daemon", daemon, ("auto", "off", None))
    content.check_choice("ranks", ranks, ("first", "all"))
    settings = config.read_settings(environ)
    parent = _parent_run(environ) if name is None else None
    if parent is not None:
        spool = spool or parent.spool
    if spool is not None:
        settings = msgspec.structs.replace(settings, spool=Path(spool).absolute())
    if durability is not None:
        settings = msgspec.structs.replace(settings, durability=durability)
    arguments = RunArguments(
        name=name, directory=os.fspath(dir), repo_url=repo_url, baseline_sha=baseline_sha, subdir=subdir
    )
    identity = identify(arguments, environ, Path.cwd())
    for problem in identity.problems:
        logger.warning("livestream.config_skipped", extra={"problem": problem})
    rank = names.rank(environ)
    run = Run(
        identity if parent is None else msgspec.structs.replace(identity, experiment=parent.experiment),
        RunOptions(
            message=message,
            settings=settings,
            start_daemon=(daemon or settings.daemon) == "auto",
            recording=rank == 0 or ranks == "all",
            contributor=rank > 0 or parent is not None,
            metric_prefix=f"rank{rank}" if rank > 0 and ranks == "all" else "",
        ),
    )
    _set_default(run, settings.spool)
    return run


def emit(metrics: Mapping[str, Json] | None = None, **news: Json) -> int | None:
    """Record one step's news in the default run: the last one begun here, else one that begins now.

    It ends with the process. Arguments, result and errors are those of ``Run.emit``.
    """
    return _default_run().emit(metrics, **news)


_default: Run | None = None
_default_lock = threading.Lock()


def _default_run() -> Run:
    run = _default
    if run is not None and not run.ended:
        return run
    with _default_lock:
        run = _default
        return run if run is not None and not run.ended else init()


def _set_default(run: Run, spool: Path) -> None:
    global _default
    _default = run
    parent = _ParentRun(spool=str(spool), experiment=run.experiment)
    os.environ[PARENT_RUN] = msgspec.json.encode(parent).decode()


class _ParentRun(msgspec.Struct, frozen=True):
    spool: str
    experiment: Experiment


def _parent_run(environ: Mapping[str, str]) -> _ParentRun | None:
    """Give the run of the process that spawned this one with multiprocessing, if it has one."""
    process = sys.modules.get("multiprocessing.process")
    said = environ.get(PARENT_RUN)
    if said is None or process is None or process.parent_process() is None:
        return None
    try:
        return msgspec.json.decode(said, type=_ParentRun)
    except msgspec.DecodeError:
        return None
