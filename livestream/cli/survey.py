"""One look at a whole spool: daemon.db's accounts, brought up to date by what lies in the writers' folders.

daemon.db knows cursors, deliveries, dead letters and holds, but of the newest events only what a daemon has read, and
without a daemon nothing. The folders know what was accepted and refused. Both together are true at any moment.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from livestream.cli.contents import SegmentFacts, Waiting, last_in_journal, measure, segments_of
from livestream.cli.spools import look
from livestream.errors import SpoolError
from livestream.events import Experiment
from livestream.spool.journal import Counters, read_counters
from livestream.spool.launch import is_served, read_published
from livestream.spool.layout import (
    HEARTBEAT_FILE,
    JOURNAL_FILE,
    LOCK_FILE,
    Published,
    WriterInfo,
    is_locked,
    read_writer_info,
    writer_folders,
)
from livestream.spool.rows import Books, ExperimentRow, LetterKind, TargetRow, WriterRow

BEATS_FRESH_S: Final = 60.0
"""Six heartbeats: a writer on another host that is silent for longer is not called alive."""

LIVE_S: Final = 5.0
"""An experiment whose oldest unsent event is younger is live: that long a healthy server may take to answer."""

ExperimentState: TypeAlias = Literal["live", "behind", "offline", "held", "ending", "done"]


class WriterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One writer.

    Attributes:
        info: Its ``writer.json``; ``None`` where it is gone or unreadable (see ``note``).
        alive: Its process lives, as far as this host can tell.
        cursor: The last number delivered or dead.
        waiting: What is behind the cursor.
    """

    uid: str
    experiment: Experiment | None = None
    info: WriterInfo | None = None
    alive: bool = False
    finished: bool = False
    gone: bool = False
    cursor: int = 0
    books: Books = Books()
    waiting: Waiting = Waiting()
    segments: list[SegmentFacts] = []
    note: str = ""


class ExperimentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment, over all its writers.

    Attributes:
        behind_s: Age of the oldest event that is not delivered; ``None`` where all are.
        step: The highest step delivered.
        held: Why nothing is sent now.
        retrying_until: Seconds since the epoch.
        letters: Its dead letters by kind.
    """

    experiment: Experiment
    state: ExperimentState
    behind_s: float | None = None
    backlog_events: int = 0
    backlog_bytes: int = 0
    books: Books = Books()
    writers: int = 0
    writers_alive: int = 0
    step: int | None = None
    url: str | None = None
    held: str | None = None
    held_since: float | None = None
    retrying_until: float | None = None
    last_error: str | None = None
    last_success: float | None = None
    letters: dict[LetterKind, int] = {}

    @property
    def waits(self) -> bool:
        """Whether anything is to be sent as soon as that is possible."""
        return bool(self.backlog_events or self.letters.get("retry"))


class SpoolFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The whole spool; ``problems`` are what kept this look from being complete."""

    path: Path
    served: bool = False
    daemon: Published | None = None
    experiments: list[ExperimentFacts] = []
    writers: list[WriterFacts] = []
    targets: list[TargetRow] = []
    books: Books = Books()
    problems: list[str] = []


class _Known(msgspec.Struct, frozen=True):
    """What daemon.db says."""

    experiments: dict[int, ExperimentRow] = {}
    writers: dict[str, WriterRow] = {}
    targets: list[TargetRow] = []
    letters: dict[int, dict[LetterKind, int]] = {}
    problems: list[str] = []


def survey(spool: Path) -> SpoolFacts:
    """Look at a spool; one that does not exist is empty."""
    known = _known(spool)
    writers = [_writer(folder, known) for folder in writer_folders(spool)]
    seen = {writer.uid for writer in writers}
    writers += [_departed(row, known) for row in known.writers.values() if row.uid not in seen]
    writers.sort(key=lambda writer: writer.uid)
    books = Books()
    for writer in writers:
        books = books.plus(writer.books)
    served = is_served(spool)
    return SpoolFacts(
        path=spool,
        served=served,
        daemon=read_published(spool),
        experiments=_experiments(writers, known),
        writers=writers,
        targets=known.targets,
        books=books,
        problems=known.problems,
    )


def _known(spool: Path) -> _Known:
    try:
        state = look(spool)
    except SpoolError as error:
        return _Known(problems=[f"{error}; what is shown as queued may be delivered already"])
    if state is None:
        return _Known()
    try:
        letters: dict[int, dict[LetterKind, int]] = {}
        after = 0
        while page := state.letters.list(after=after):
            after = page[-1].id
            for letter in page:
                counts = letters.setdefault(letter.experiment_id, {})
                counts[letter.kind] = counts.get(letter.kind, 0) + 1
        return _Known(
            {row.id: row for row in state.experiments()},
            {row.uid: row for row in state.writers(gone=True)},
            state.targets(),
            letters,
        )
    except SpoolError as error:
        return _Known(problems=[f"{error}; what is shown as queued may be delivered already"])
    finally:
        state.close()


def _writer(folder: Path, known: _Known) -> WriterFacts:
    uid = folder.name
    row = known.writers.get(uid)
    note = ""
    info: WriterInfo | None = None
    try:
        info = read_writer_info(folder)
    except SpoolError as error:
        note = str(error)
    if info is None:
        return WriterFacts(
            uid=uid,
            experiment=_experiment_of(row, known),
            alive=is_locked(folder / LOCK_FILE),
            cursor=row.cursor if row else 0,
            books=_books(row, row.emitted if row else 0, None),
            note=note or "it has no writer.json yet",
        )
    last_accepted = last_in_journal(folder)
    segments = segments_of(folder, shared=info.shared)
    cursor = row.cursor if row is not None else _removed_before(segments)
    accepted = max([last_accepted, cursor, row.emitted if row else 0, *(segment.last or 0 for segment in segments)])
    return WriterFacts(
        uid=uid,
        experiment=info.experiment,
        info=info,
        alive=_is_alive(folder, info),
        finished=row.finished if row else False,
        cursor=cursor,
        books=_books(row, accepted, _counters(folder), cursor),
        waiting=measure(folder, segments, cursor, shared=info.shared) if accepted > cursor else Waiting(),
        segments=segments,
    )


def _departed(row: WriterRow, known: _Known) -> WriterFacts:
    """Tell of a writer whose folder is removed."""
    return WriterFacts(
        uid=row.uid,
        experiment=_experiment_of(row, known),
        finished=row.finished,
        gone=True,
        cursor=row.cursor,
        books=_books(row, row.emitted, None),
        note="" if row.gone or not row.queued else "its folder vanished",
    )


def _removed_before(segments: list[SegmentFacts]) -> int:
    """Where daemon.db knows nothing: segments are removed only when they are delivered."""
    first = segments[0] if segments else None
    return first.first - 1 if first is not None and first.first is not None and first.number > 1 else 0


def _experiment_of(row: WriterRow | None, known: _Known) -> Experiment | None:
    found = known.experiments.get(row.experiment_id) if row is not None else None
    return found.experiment if found is not None else None


def _counters(folder: Path) -> Counters | None:
    try:
        return read_counters(folder / JOURNAL_FILE)
    except (OSError, SpoolError):
        return None


def _books(row: WriterRow | None, accepted: int, counters: Counters | None, cursor: int = 0) -> Books:
    refused = dict(row.refused) if row is not None else {}
    for reason, count in (counters.refused if counters is not None else {}).items():
        refused[reason] = max(count, refused.get(reason, 0))
    delivered, dead = (row.delivered, row.dead) if row is not None else (cursor, 0)
    return Books(
        accepted=accepted,
        delivered=delivered,
        dead=dead,
        queued=accepted - delivered - dead,
        superseded=row.superseded if row is not None else 0,
        trimmed=max(row.trimmed if row is not None else 0, counters.trimmed if counters is not None else 0),
        refused=refused,
    )


def _is_alive(folder: Path, info: WriterInfo) -> bool:
    if is_locked(folder / LOCK_FILE):
        return True
    if info.host == socket.gethostname():
        return False
    try:
        return time.time() - os.stat(folder / HEARTBEAT_FILE).st_mtime < BEATS_FRESH_S
    except OSError:
        return False


def _experiments(writers: list[WriterFacts], known: _Known) -> list[ExperimentFacts]:
    grouped: dict[Experiment, list[WriterFacts]] = {}
    for writer in writers:
        if writer.experiment is not None:
            grouped.setdefault(writer.experiment, []).append(writer)
    rows = {row.experiment: row for row in known.experiments.values()}
    return [_experiment(key, members, rows.get(key), known) for key, members in grouped.items()]


def _experiment(
    key: Experiment, members: list[WriterFacts], row: ExperimentRow | None, known: _Known
) -> ExperimentFacts:
    books = Books()
    for member in members:
        books = books.plus(member.books)
    oldest = min((member.waiting.oldest for member in members if member.waiting.oldest is not None), default=None)
    behind_s = max(time.time() - oldest, 0.0) if oldest is not None and books.queued else None
    target = _target(members, known) or TargetRow(url="", fingerprint="", state="up")
    letters = known.letters.get(row.id, {}) if row else {}
    waits = bool(books.queued or letters.get("retry"))
    studio_holds = target.state == "held" and waits
    held = row.hold if row is not None and row.hold else target.detail if studio_holds else None
    return ExperimentFacts(
        experiment=key,
        state=_state(members, row, held=held, behind_s=behind_s),
        behind_s=behind_s,
        backlog_events=books.queued,
        backlog_bytes=sum(member.waiting.bytes for member in members),
        books=books,
        writers=len(members),
        writers_alive=sum(member.alive for member in members),
        step=row.step if row else None,
        url=target.url or next((member.info.url for member in members if member.info and member.info.url), None),
        held=held,
        held_since=row.hold_since if row else None,
        retrying_until=target.until if target.state == "waiting" and waits else None,
        last_error=row.last_error if row else None,
        last_success=row.last_success if row else None,
        letters=letters,
    )


def _target(members: list[WriterFacts], known: _Known) -> TargetRow | None:
    """Find what is known of the Studio that the newest writer goes to; a run that named none goes to the only one."""
    info = next((member.info for member in reversed(members) if member.info is not None), None)
    if info is None:
        return None
    if info.url is None:
        return known.targets[0] if len(known.targets) == 1 else None
    there = [target for target in known.targets if target.url.rstrip("/") == info.url.rstrip("/")]
    own = [target for target in there if target.fingerprint == info.token_fingerprint]
    return next(iter(own or there), None)


def _state(
    members: list[WriterFacts], row: ExperimentRow | None, *, held: str | None, behind_s: float | None
) -> ExperimentState:
    waiting = [member for member in members if member.books.queued]
    alive = any(member.alive for member in members)
    if not waiting:
        if alive:
            return "live"
        return "done" if all(member.finished or member.gone for member in members) else "ending"
    offline = all(member.info is not None and member.info.offline for member in waiting)
    if offline and (held is None or held.startswith("offline")):
        return "offline"
    if held is not None:
        return "held"
    return "live" if alive and row is not None and (behind_s or 0.0) < LIVE_S else "behind"
