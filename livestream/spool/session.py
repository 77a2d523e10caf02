r"""A process's way into a spool for one experiment: opens the writer, and opens it again where it has to.

    no writer --open--> writing --fork: in the child--> no writer (a contributor's, opened at its first event)
        ^  \--cannot--> waiting 30 s, events refused and counted ("spool")
        '---------------- the folder vanished below us ("vanished")

Nothing here raises into the training. What was lost while there was no writer is told to the next one, which carries
the counts to the Studio.
"""

from __future__ import annotations

import base64
import logging
import os
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from livestream.errors import LivestreamError
from livestream.events import Event, Experiment, Image, Spilled, encode
from livestream.spool import filesystem, layout
from livestream.spool.blobs import INLINE_BYTES
from livestream.spool.experiment import ExperimentFile
from livestream.spool.helper import Helper
from livestream.spool.launch import Caretaker, Handover
from livestream.spool.quota import Weight, default_quota_bytes, free_bytes
from livestream.spool.writer import SpoolWriter, WriterOptions

logger = logging.getLogger("livestream")

REOPEN_S: Final = 30.0
INTRODUCTION_WAIT_S: Final = 0.4
"""A training that ends at once waits this long at most for its token to reach a daemon."""

_PROCESS_START: Final = time.time()
_said_shared: set[str] = set()


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's events are to go; ``handover`` holds what must not be written down."""

    url: str | None = None
    endpoint: str = "api/live"
    config_folder: str | None = None
    offline: bool = False
    token: Callable[[], str | None] | None = None


class SessionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a session needs to open a writer.

    Attributes:
        quota_bytes: ``None``: by the space that is free when the writer starts.
        contributor: This process may not end the experiment, whoever else lives.
        guest: A contributor; nobody of this spool begins the experiment either.
    """

    spool: Path
    experiment: Experiment
    directory: str
    version: str
    client: str = "dvclive"
    metric_prefix: str = ""
    destination: Destination = Destination()
    mode: Literal["auto", "local", "shared"] = "auto"
    durability: Literal["process", "power"] = "process"
    quota_bytes: int | None = None
    start_daemon: bool = True
    contributor: bool = False
    guest: bool = False
    fingerprint: Callable[[str, bytes], str] | None = None


class Session:
    """One experiment's writer in this process, whatever happens to it."""

    def __init__(self, options: SessionOptions, environ: Mapping[str, str], opening: Callable[[], bytes]) -> None:
        """Open the writer, or find out that it cannot be opened yet.

        Args:
            options: What to open.
            environ: What a daemon that is started gets, less what belongs to one run only.
            opening: Gives the first event of a primary writer, encoded; called for each one that is opened.
        """
        self.options = options
        self.role: layout.Role = "primary"
        self.writer: SpoolWriter | None = None
        self._environ = environ
        self._opening = opening
        self._helper: Helper | None = None
        self._experiment: ExperimentFile | None = None
        self._lost: dict[str, int] = {}
        self._next_try = 0.0
        self._ended = False
        self._forked = options.contributor
        self._opening_lock = threading.Lock()
        self._lost_lock = threading.Lock()
        _register(self)
        self._open()

    @property
    def last_step(self) -> int | None:
        """The experiment's last step that this spool knows."""
        return self._experiment.last_step if self._experiment is not None else None

    @property
    def kept_step(self) -> int | None:
        """The highest step whose rows a ``Live`` of this experiment keeps."""
        return self._experiment.kept_step if self._experiment is not None else None

    def store_whole_step(self, step: int, kept: int) -> None:
        """Store where a ``Live`` of this experiment goes on."""
        if self._experiment is not None:
            self._experiment.store_whole_step(step, kept)

    def forget_steps(self) -> None:
        """Begin the experiment anew, whatever an earlier run of its name stored."""
        if self._experiment is not None:
            self._experiment.forget_steps()

    def append(self, payload: bytes, weight: Weight, step: int | None = None) -> int | None:
        """Accept one encoded event; ``None`` where it was refused, and counted."""
        writer = self.writer
        if writer is None and (writer := self._writer_again()) is None:
            self._count_lost({"spool": 1})
            return None
        seq = writer.append(payload, weight)
        if seq is not None and step is not None and self._experiment is not None:
            self._experiment.store_step(step)
        return seq

    def record(self, event: Event, weight: Weight, step: int | None = None) -> int | None:
        """Encode one event and accept it; one of 64 KiB or more becomes a blob."""
        payload = encode(event)
        writer = self.writer or self._writer_again()
        if len(payload) >= INLINE_BYTES and writer is not None and not self._ended:
            if weight > writer.allowance:
                writer.refuse("quota")
                return None
            blob = writer.put_blob(payload)
            if blob is None:
                writer.refuse("disk")
                return None
            payload = encode(Spilled(blob=blob, size=len(payload)))
        return self.append(payload, weight, step)

    def store_image(self, image: Image, content: bytes) -> Image | None:
        """Put an image's bytes in place, inline or as a blob; ``None`` where there is no room for it."""
        writer = self.writer or self._writer_again()
        if writer is None or self._ended or writer.allowance < Weight.IMAGES:
            return None
        if len(content) * 4 // 3 < INLINE_BYTES // 2:
            return msgspec.structs.replace(image, data=base64.b64encode(content).decode("ascii"))
        blob = writer.put_blob(content)
        return None if blob is None else msgspec.structs.replace(image, blob=blob)

    def trim(self) -> None:
        """Count one event that goes without its images."""
        if self.writer is not None:
            self.writer.trim()

    @property
    def refused(self) -> dict[str, int]:
        """Events refused so far, by reason."""
        with self._lost_lock:
            counts = dict(self._lost)
        for reason, count in (self.writer.refused if self.writer is not None else {}).items():
            counts[reason] = counts.get(reason, 0) + count
        return counts

    def note_signal(self, number: int) -> None:
        """Leave word of the signal that ends this process; safe inside a signal handler."""
        if self.writer is not None:
            self.writer.note_signal(number)

    def end(self, *, said_all: bool = True) -> None:
        """Accept nothing more and let the helper seal the queue; returns in milliseconds.

        Only a token that has not reached a daemon yet is waited for, ``INTRODUCTION_WAIT_S`` at most.

        Args:
            said_all: Where the experiment's end could not be recorded, the daemon tells it as that of a dead writer.
        """
        if self._ended:
            return
        self._ended = True
        if self.writer is not None and self._helper is not None:
            self.writer.close(said_all=said_all)
            self._helper.introduced.wait(INTRODUCTION_WAIT_S)
            self._helper.end()
        if self._experiment is not None:
            self._experiment.release()

    def wait_sealed(self, timeout_s: float) -> bool:
        """Wait until the queue is sealed and its lock is free."""
        return self._helper is None or self._helper.ended.wait(timeout_s)

    # -- opening

    def _writer_again(self) -> SpoolWriter | None:
        if self._ended:
            return None
        if self._next_try == 0.0:
            self._open()
        elif time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + REOPEN_S
            threading.Thread(target=self._open, name="livestream-reopen", daemon=True).start()
        return self.writer

    def _open(self) -> None:
        with self._opening_lock:
            if self.writer is not None or self._ended:
                return
            self._next_try = time.monotonic() + REOPEN_S
            try:
                self._open_writer()
            except (OSError, ValueError, sqlite3.Error, LivestreamError) as error:  # ValueError: a path of no encoding
                logger.warning(
                    "livestream.spool_not_usable", extra={"spool": str(self.options.spool), "error": str(error)}
                )

    def _open_writer(self) -> None:
        options = self.options
        spool = layout.private_folder(options.spool)
        below = filesystem.of_folder(spool)
        shared, reason = filesystem.choose_mode(options.mode, below)
        if shared and str(spool) not in _said_shared:
            _said_shared.add(str(spool))
            logger.warning("livestream.spool_is_shared", extra={"spool": str(spool), "reason": reason})
        mapped = below.mappable and not shared
        self._choose_role(ExperimentFile(spool, options.experiment, mapped=mapped))
        handover = self._handover(layout.spool_key(spool))
        quota = options.quota_bytes or default_quota_bytes(free_bytes(spool))
        writer = SpoolWriter(
            spool,
            self._info(shared=shared, handover=handover),
            WriterOptions(mapped=mapped, durability=options.durability, quota_bytes=quota),
        )
        with self._lost_lock:
            lost, self._lost = self._lost, {}
        for lost_reason, count in lost.items():
            writer.refuse(lost_reason, count)
        caretaker = Caretaker(spool, handover, self._environ, start=options.start_daemon)
        self._helper = Helper(writer, caretaker, self._vanished)
        if self.role == "primary":
            writer.append(self._opening(), Weight.EDGE)
        self.writer = writer

    def _choose_role(self, experiment: ExperimentFile) -> None:
        if self._experiment is not None:
            self._experiment.release()
            experiment.last_step, experiment.kept_step = self._experiment.last_step, self._experiment.kept_step
        primary = not self._forked and experiment.take() and not self.options.guest
        self.role = "primary" if primary else "contributor"
        self._experiment = experiment

    def _handover(self, key: bytes) -> Handover | None:
        destination = self.options.destination
        token = destination.token() if destination.token is not None else None
        if token is None or destination.url is None or self.options.fingerprint is None:
            return None
        return Handover(url=destination.url, token=token, fingerprint=self.options.fingerprint(token, key))

    def _info(self, *, shared: bool, handover: Handover | None) -> layout.WriterInfo:
        options, destination = self.options, self.options.destination
        return layout.WriterInfo(
            uid=layout.new_uid(),
            version=options.version,
            host=socket.gethostname(),
            pid=os.getpid(),
            boot_id=layout.boot_id(),
            process_start=_PROCESS_START,
            role=self.role,
            experiment=options.experiment,
            directory=options.directory,
            client=options.client,
            metric_prefix=options.metric_prefix,
            guest=options.guest,
            url=destination.url,
            endpoint=destination.endpoint,
            config_folder=destination.config_folder,
            offline=destination.offline,
            token_fingerprint=handover.fingerprint if handover else None,
            shared=shared,
            created=time.time(),
        )

    # -- what happens to it

    def _vanished(self) -> None:
        """From the helper: the writer's folder is gone. What nobody can read any more is counted; a new one is made."""
        writer, self.writer = self.writer, None
        if writer is None:
            return
        writer.close("vanished")
        self._count_lost(writer.refused)
        unknown = writer.seq - writer.seq_when_in_place
        if unknown:
            self._count_lost({"vanished": unknown})
        logger.warning("livestream.spool_vanished", extra={"spool": str(writer.folder), "events": unknown})
        if self._helper is not None:
            self._helper.end()
        self._open()

    def _count_lost(self, counts: Mapping[str, int]) -> None:
        with self._lost_lock:
            for reason, count in counts.items():
                self._lost[reason] = self._lost.get(reason, 0) + count

    def after_fork(self) -> None:
        """In a forked child: the parent's writer is not ours; the first event here opens a contributor's."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.abandon()
        if self._experiment is not None:
            self._experiment.release()
        self.role = "contributor"
        self._helper = None
        self._lost = {}
        self._next_try = 0.0
        self._forked = True
        self._opening_lock = threading.Lock()
        self._lost_lock = threading.Lock()


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()
_registered = False


def _register(session: Session) -> None:
    global _registered
    _SESSIONS.add(session)
    if not _registered:
        _registered = True
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for session in list(_SESSIONS):
        session.after_fork()
