"""One training's stream. What begins it is in ``livestream.training``.

``emit`` checks its arguments, encodes one event and appends it to the spool; when it returns the event is safe. After
the arguments are checked nothing here raises into the training and nothing waits for a network: that is the daemon's.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, SupportsIndex

import msgspec
import orjson

from livestream import config, content, ending, images
from livestream._version import __version__
from livestream.events import Data, Done, Json, Problem, Start, encode
from livestream.identity import Identity
from livestream.options import ParentRun, RunOptions
from livestream.spool.blobs import INLINE_BYTES
from livestream.spool.delivery import wait_for_delivery
from livestream.spool.quota import Weight
from livestream.spool.session import Destination, Session, SessionOptions

logger = logging.getLogger("livestream")

MAX_MESSAGE_LENGTH: Final = 72
"""Studio shows the message as a commit's title (dvc-studio-client cuts it there)."""

_PLAIN: Final = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""orjson refuses what it would otherwise turn into JSON by rules of its own."""

_LOWEST_STEP: Final = -(2**63)
_HIGHEST_STEP: Final = 2**63 - 1
_SCALARS: Final = Weight.SCALARS  # an enum's attribute is looked up by Python's slow way


class Run:
    """One training's stream. Made by ``init``; as a context manager it ends as failed where an exception leaves it.

    Safe from any thread. In a forked child it goes on as a contributor, which adds to the experiment and never ends it.

    Attributes:
        name: The experiment's name.
        experiment: Its whole identity.
        before_end: Called once before the run ends, at the process's exit too: the last chance to record something.
    """

    def __init__(self, identity: Identity, options: RunOptions) -> None:
        """Open the spool; ``init`` is the way here."""
        self.name = identity.experiment.name
        self.experiment = identity.experiment
        self._identity = identity
        self._options = options
        self._names = content.Names()
        self._known = self._names.known
        self._problems: list[Problem] = []
        self._failed = False
        self._ended = False
        self._step = -1
        self.before_end: Callable[[], object] | None = None
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
    def directory(self) -> str:
        """The folder that its files are named after on the wire."""
        return self._identity.directory

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
        step: SupportsIndex | None = None,
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
        if type(step) is not int or not _LOWEST_STEP <= step <= _HIGHEST_STEP:
            step = content.step(step)
        if params is None and images is None and plots is None and timestamp is None:
            payload = self._encode_metrics({} if metrics is None else metrics, step)
            if len(payload) < INLINE_BYTES:
                self._step = step
                try:
                    return session.append(payload, _SCALARS, step)
                except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
                    self._note_trouble(error)
                    return None
        return self._emit_rest(session, step, _News(metrics, params, images, plots, timestamp))

    def _encode_metrics(self, metrics: Mapping[str, Json], step: int) -> bytes:
        """Encode plain numbers under known names as they are; everything else goes the careful way.

        orjson itself refuses what is not plain JSON, and a sum finds the rest of what must not pass: texts and nested
        values cannot be summed, NaN and infinities (``null`` in JSON) leave no difference of 0. Asking each value for
        its type first took 7 us more, of 30 for all of this, where caches are cold.
        """
        event = {"type": "data", "time": time.time(), "step": step, "metrics": metrics}
        if type(metrics) is dict and self._known.issuperset(metrics):
            try:
                payload = orjson.dumps(event, None, _PLAIN)
                total = sum(metrics.values())
            except (TypeError, OverflowError):  # orjson's JSONEncodeError is a TypeError
                pass
            else:
                if total - total == 0:
                    return payload
        event["metrics"] = content.metrics(metrics, self._names)
        return orjson.dumps(event)

    def _emit_rest(self, session: Session, step: int, news: _News) -> int | None:
        now = time.time()
        params = {} if news.params is None else content.params(news.params)
        pixels = images.take(news.images)
        plots = content.plots(news.plots)
        timestamp = None if news.timestamp is None else content.timestamp_ms(news.timestamp, now)
        metrics = {} if news.metrics is None else content.metrics(news.metrics, self._names)  # last: it keeps the names
        self._step = step
        try:
            event = Data(time=now, step=step, metrics=metrics, params=params, plots=plots, timestamp=timestamp)
            return _record(session, event, pixels, step)
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._note_trouble(error)
            return None

    # -- what Live does

    def record(self, event: Data, pixels: Mapping[str, images.Pixels] | None = None) -> bool:
        """Record an event that is made of checked values; its images may come as pixels.

        Returns:
            Whether it was accepted. An event that is refused is counted; one that comes after the end is not.
        """
        session = self._session
        if session is None or self._ended:
            return False
        try:
            return _record(session, event, pixels or {}, None) is not None
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._note_trouble(error)
            return False

    @property
    def kept_step(self) -> int | None:
        """The highest step whose rows an earlier ``Live`` of this experiment kept; ``None`` where none did."""
        return None if self._session is None else self._session.kept_step

    def end_step(self, step: int, kept: int) -> None:
        """Remember where a ``Live`` that resumes goes on.

        Args:
            step: The last step that is whole.
            kept: The highest step whose rows are to be kept.
        """
        self._step = step
        if self._session is not None and not self._ended:
            self._session.store_whole_step(step, kept)

    def begin_anew(self) -> None:
        """Forget the steps of earlier runs of this name."""
        self._step = -1
        if self._session is not None:
            self._session.forget_steps()

    def _note_trouble(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            logger.error("livestream.emit_failed", exc_info=error)

    # -- the end

    def end(self, *, wait_s: float | None = None, experiment_rev: str | None = None) -> int | None:
        """End the experiment (or, in a contributor, this process's part in it); returns in milliseconds.

        Args:
            wait_s: Wait this long at most for delivery.
            experiment_rev: The commit that ``dvc exp save`` has made of it.

        Returns:
            With ``wait_s``, how many events are not delivered yet; else ``None``.
        """
        session = self._session
        if session is None:
            return None if wait_s is None else 0
        if not self._ended:
            self._say_the_last()
            self._ended = True
            if not self._options.settings.end_wait_s:  # else the process's exit waits for delivery
                ending.unwatch(self)
            try:
                said_all = session.role != "primary" or self._say_done(session, experiment_rev)
                session.end(said_all=said_all)
            except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
                self._note_trouble(error)
        return None if wait_s is None else wait_for_delivery(session, wait_s)

    def _say_the_last(self) -> None:
        try:
            if self.before_end is not None:
                self.before_end()
        except Exception as error:  # noqa: BLE001 - trouble of ours never stops a training
            self._note_trouble(error)

    def _say_done(self, session: Session, experiment_rev: str | None) -> bool:
        done = Done(time=time.time(), errors=self._problems, experiment_rev=experiment_rev)
        return session.record(done, Weight.EDGE) is not None

    def __enter__(self) -> Self:
        """Give the run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the run; an exception makes it a failed one, and goes on."""
        if kind is not None and ending.is_failure(error):
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

    def as_parent(self) -> ParentRun:
        """Describe the run to the workers that this process spawns."""
        options = self._options
        return ParentRun(
            spool=str(options.settings.spool),
            experiment=self.experiment,
            directory=self._identity.directory,
            metric_prefix=options.metric_prefix,
            recording=options.recording,
            durability=options.settings.durability,
            start_daemon=options.start_daemon,
            guest=options.guest,
        )

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
            guest=options.guest,
            fingerprint=config.fingerprint,
        )


class _News(msgspec.Struct, frozen=True):
    metrics: Mapping[str, Json] | None
    params: Mapping[str, Json] | None
    images: Mapping[str, Json] | None
    plots: Mapping[str, Json] | None
    timestamp: Json


def _record(session: Session, event: Data, pixels: Mapping[str, images.Pixels], step: int | None) -> int | None:
    stored = images.store(pixels, session.store_image)
    weight = Weight.PLOTS if event.plots else Weight.SCALARS
    seq = session.record(msgspec.structs.replace(event, images=stored), weight, step)
    if seq is not None and len(stored) < len(pixels):
        session.trim()
    return seq
