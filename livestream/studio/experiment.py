"""What is known of an experiment beside its points: facts, as they came, from which a status is derived.

Facts are never judgements. "Lost" is not stored anywhere: it follows from the time of the last beat and the clock, so
that late data makes a lost run running again by itself.
"""

from __future__ import annotations

import msgspec

from livestream.events import JsonObject, Problem

RECENT_GAPS = 16
"""How many times between steps are remembered: their median tells when a run is stalled."""
MAX_WARNINGS = 20


class WriterFacts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One process that writes to the experiment, known by the key of its updates.

    Attributes:
        mark: Every event up to this number has arrived, but for the gaps.
        gaps: Ranges ``(first, last)`` below the mark that never came.
        open: Parts that are in of updates that are not whole: ``first/last/parts`` to part numbers.
        repaired: Keys ``first/last/part/parts`` of repairs that are in.
        session: The session that its start began; 0 for one that never sent a start.
        overlaps: Updates that began below the mark and ended above it.
        seen_us: Its last update or beat.
        beat_us: Its last beat; None from one that never beat.
        backlog_rows: What waited on its node at ``seen_us``, as ``backlog_bytes`` and ``backlog_oldest_s``.
        losses: Events refused or trimmed on the node, by reason.
    """

    mark: int = 0
    gaps: list[tuple[int, int]] = []
    open: dict[str, list[int]] = {}
    repaired: list[str] = []
    overlaps: int = 0
    session: int = 0
    seen_us: int = 0
    beat_us: int | None = None
    backlog_rows: int = 0
    backlog_bytes: int = 0
    backlog_oldest_s: float = 0.0
    losses: dict[str, int] = {}


class Facts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that is known of an experiment, but for its metrics, params, points and images.

    Attributes:
        session: 1, and one more each time it is started anew; what a later session says wins over an earlier one.
        start_us: When the newest session's start came; None where none came.
        start_digest: Hex digest of that start's body.
        event_us: When anything last came.
        advance_us: When it last told of a step beyond those known in this session.
        step: The highest step of this session.
        gaps_s: The last times between advances.
        done_us: When `done` came; None while none stands (a new session takes it away).
        errors: Of that `done`; empty means that it ended well.
        warnings: ``errors`` of other bodies, newest last.
        clients: Every value of ``client`` that came.
        metric_ranks: File to ``[session, step]`` of what is stored of it; as ``param_ranks``.
        writers: By their unique id.
        references: Git references under which it was pushed (``refs/exps/...``).
        extra: Unknown fields that came.
    """

    session: int = 1
    start_us: int | None = None
    start_digest: str = ""
    event_us: int = 0
    advance_us: int | None = None
    step: int | None = None
    gaps_s: list[float] = []
    done_us: int | None = None
    errors: list[Problem] = []
    warnings: list[Problem] = []
    message: str | None = None
    experiment_rev: str | None = None
    clients: list[str] = []
    machine: JsonObject = {}
    env: JsonObject = {}
    metric_ranks: dict[str, tuple[int, int]] = {}
    param_ranks: dict[str, tuple[int, int]] = {}
    writers: dict[str, WriterFacts] = {}
    references: list[str] = []
    extra: JsonObject = {}
