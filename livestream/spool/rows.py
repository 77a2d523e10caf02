"""The values that go into daemon.db and come out of it.

Books. A writer's events are numbered from 1 without a gap, so its numbers are its accounts:

    emitted = accepted + refused          accepted = the last number that was given
    accepted = delivered + dead + queued  delivered + dead = cursor

A dead letter of ``count`` 0 is a part of an event (an image that cannot fit) whose rest was delivered.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from livestream.events import Experiment
from livestream.spool.layout import Role

LetterKind: TypeAlias = Literal["dead", "parked", "retry"]
"""``dead``: for good; ``parked``: tried again at ``retry_at``; ``retry``: somebody asked for one more try."""


class ExperimentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as the Studio knows it by now.

    Attributes:
        state: The merged metrics and parameters, as the pipeline encodes them; empty at first.
        step: The highest step delivered.
        accepted_data: The Studio took data of it at least once.
        hold: Why nothing is sent to it now, since ``hold_since`` (seconds since the epoch).
    """

    id: int
    experiment: Experiment
    state: bytes
    step: int | None
    started: bool
    done: bool
    accepted_data: bool
    hold: str | None
    hold_since: float | None
    last_error: str | None
    last_success: float | None


class NewWriter(msgspec.Struct, frozen=True, kw_only=True):
    """A writer met for the first time, or again.

    Attributes:
        info: Its ``writer.json`` as it is on disk.
        at: Seconds since the epoch.
    """

    uid: str
    experiment_id: int
    role: Role
    info: bytes
    at: float


class WriterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A writer's accounts, in events.

    Attributes:
        cursor: The last number that was delivered or found dead.
        emitted: The last number known to be given.
        superseded: Values that were delivered within a newer one.
        refused: Events that were not accepted, by reason.
        trimmed: Events that were accepted without their images.
        finished: Nothing more will come of it; its folder may go.
        gone: Its folder is removed.
        updated: Seconds since the epoch.
    """

    uid: str
    experiment_id: int
    role: Role
    cursor: int
    emitted: int
    delivered: int
    dead: int
    superseded: int
    refused: dict[str, int]
    trimmed: int
    finished: bool
    gone: bool
    updated: float
    info: bytes

    @property
    def queued(self) -> int:
        """Events that are accepted and neither delivered nor dead."""
        return self.emitted - self.cursor


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer says of itself: the last number it gave, and what it refused (see ``journal.Counters``)."""

    writer: str
    emitted: int
    refused: dict[str, int] = {}
    trimmed: int = 0
    at: float


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a writer's next update is cut; kept so that a restart sends the same parts again.

    Attributes:
        first: Sequence number of its first event.
        last: Of its last.
        next_part: The first part without an answer, from 1.
        profile: What the Studio could take when the plan was made, as the daemon encodes it.
    """

    writer: str
    first: int
    last: int
    parts: int
    next_part: int = 1
    profile: bytes = b""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be delivered as it is.

    Attributes:
        id: Given by the database.
        seq: The event's number, or the first of ``count`` that follow each other.
        count: Events that it stands for.
        status: The HTTP status that condemned it.
        at: Seconds since the epoch.
        event: The event's JSON, or the bytes found in its place; ``None`` where nothing is left, and in lists.
        size: Bytes of ``event``, also where the list leaves it out.
        blobs: Names in the spool's ``dead`` folder.
        retry_at: When a parked one is due, in seconds since the epoch.
    """

    id: int = 0
    writer: str
    experiment_id: int
    seq: int
    count: int = 1
    reason: str
    status: int | None = None
    at: float
    event: bytes | None = None
    size: int = 0
    blobs: tuple[str, ...] = ()
    kind: LetterKind = "dead"
    retry_at: float | None = None


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How one more try of a dead letter ended.

    Attributes:
        reason: The new reason where it was refused again; ``None`` keeps the old one.
        retry_at: When to try once more; without it the letter is dead.
    """

    id: int
    accepted: bool
    at: float
    reason: str | None = None
    status: int | None = None
    retry_at: float | None = None


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """An update that is dealt with: all that is committed in one transaction.

    Attributes:
        cursor: The writer's new cursor.
        delivered: Events of the step from the old cursor to the new one that the Studio has.
        superseded: Values among them that it did not see, because a newer one replaced them.
        dead: The others.
        state: The experiment after it, as the pipeline encodes it; ``None`` leaves the experiment's row as it is.
        at: Seconds since the epoch.
    """

    writer: str
    cursor: int
    delivered: int
    superseded: int = 0
    dead: tuple[DeadLetter, ...] = ()
    experiment_id: int
    state: bytes | None = None
    step: int | None = None
    started: bool = False
    done: bool = False
    accepted_data: bool = False
    at: float


class TargetRow(msgspec.Struct, frozen=True, kw_only=True):
    """A Studio, as one token sees it: ``state`` in the daemon's words, until when (seconds since the epoch)."""

    url: str
    fingerprint: str
    state: str
    detail: str = ""
    until: float | None = None


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts of one writer, or of all: events, except ``superseded`` (values) and ``trimmed`` (see WriterRow)."""

    accepted: int = 0
    delivered: int = 0
    dead: int = 0
    queued: int = 0
    superseded: int = 0
    trimmed: int = 0
    refused: dict[str, int] = {}

    @property
    def emitted(self) -> int:
        """All events that training code handed over."""
        return self.accepted + sum(self.refused.values())

    @property
    def balanced(self) -> bool:
        """Whether every event that was handed over is somewhere."""
        return self.emitted == self.delivered + self.dead + sum(self.refused.values()) + self.queued

    def plus(self, other: Books) -> Books:
        """Add two accounts up."""
        reasons = self.refused.keys() | other.refused.keys()
        return Books(
            accepted=self.accepted + other.accepted,
            delivered=self.delivered + other.delivered,
            dead=self.dead + other.dead,
            queued=self.queued + other.queued,
            superseded=self.superseded + other.superseded,
            trimmed=self.trimmed + other.trimmed,
            refused={reason: self.refused.get(reason, 0) + other.refused.get(reason, 0) for reason in sorted(reasons)},
        )


class AllBooks(msgspec.Struct, frozen=True, kw_only=True):
    """Every writer's accounts by uid, and their sum."""

    total: Books
    writers: dict[str, Books]
