"""An experiment's account: what its Studio knows by now, and the commits that move its writers' cursors.

Every event on the way of a cursor has one fate: delivered, or a dead letter with its reason. Events that cannot be read
are letters too, except those whose segment was delivered and removed under a daemon.db that was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from livestream.daemon.entry import Entry
from livestream.daemon.shared import Shared
from livestream.events import Data, Record, encode
from livestream.pipeline.update import ExperimentState, Update
from livestream.spool.batch import Batch, ReadProblem
from livestream.spool.dead_blobs import keep_dead_blobs
from livestream.spool.rows import Acknowledgement, DeadLetter, ExperimentRow

logger = logging.getLogger("livestream.daemon")


class Span(msgspec.Struct, frozen=True):
    """How far a round carries a cursor, and the letters for the unreadable events on the way."""

    last: int
    letters: list[DeadLetter]


class Account:
    """One experiment's state in the books."""

    def __init__(self, shared: Shared, row: ExperimentRow) -> None:
        self.state = msgspec.json.decode(row.state, type=ExperimentState) if row.state else ExperimentState()
        self.accepted_data = row.accepted_data
        self._shared = shared
        self._id = row.id

    async def pass_over(self, entry: Entry, batch: Batch, records: Sequence[Record] = ()) -> None:
        """Move a cursor past what nothing is sent for: unreadable events, the end of a contributor."""
        span = self.span(entry, batch, records)
        await self.commit(entry, span.last, span.letters, None)

    async def commit(self, entry: Entry, cursor: int, letters: list[DeadLetter], update: Update | None) -> None:
        """Move a cursor, with its dead letters and (where an update was delivered) the experiment's state."""
        state = None if update is None else update.state
        letters = [*entry.suspects, *letters]
        lost = sum(letter.count for letter in letters)
        acknowledgement = Acknowledgement(
            writer=entry.uid,
            cursor=cursor,
            delivered=cursor - entry.cursor - lost,
            superseded=0 if update is None else update.superseded,
            dead=tuple(letters),
            experiment_id=self._id,
            state=None if state is None else msgspec.json.encode(state),
            step=None if state is None else state.step,
            started=state is not None and state.started,
            done=state is not None and state.done,
            accepted_data=self.accepted_data,
            at=self._shared.wall(),
        )
        await self._shared.books.do(lambda books: books.acknowledge(acknowledgement))
        entry.delivered += acknowledgement.delivered
        entry.dead += lost
        if cursor > entry.cursor:
            entry.oldest = None  # it is dealt with; the next glance knows the next one's age
        entry.cursor = cursor
        entry.emitted = max(entry.emitted, cursor)
        entry.clear_suspects()
        if state is not None:
            self.state = state

    def span(self, entry: Entry, batch: Batch, records: Sequence[Record]) -> Span:
        """Tell how far records of a batch carry the cursor, unreadable events between and behind them included."""
        start = entry.read_from
        last = records[-1].seq if records else start
        letters = []
        for problem in batch.problems:
            if problem.first > last + 1:
                break
            if problem.last > start:
                last = max(last, problem.last)
                if problem.reason != "removed":
                    letters.append(self._unreadable(entry, problem))
        return Span(last, letters)

    def letter(
        self, entry: Entry, record: Record, reason: str, status: int | None, retry_at: float | None = None
    ) -> DeadLetter:
        """Make a dead letter of an event; with ``retry_at`` a parked one. Its blobs are kept for it."""
        blobs: tuple[str, ...] = ()
        if isinstance(record.event, Data):
            names = [image.blob for image in record.event.images.values() if image.blob is not None]
            blobs = keep_dead_blobs(entry.folder, names) if names else ()
        return DeadLetter(
            writer=entry.uid,
            experiment_id=self._id,
            seq=record.seq,
            reason=reason,
            status=status,
            at=self._shared.wall(),
            event=encode(record.event),
            blobs=blobs,
            kind="dead" if retry_at is None else "parked",
            retry_at=retry_at,
        )

    def _unreadable(self, entry: Entry, problem: ReadProblem) -> DeadLetter:
        logger.error(
            "livestream.events_unreadable",
            extra={"writer": entry.uid, "first": problem.first, "last": problem.last, "reason": problem.reason},
        )
        return DeadLetter(
            writer=entry.uid,
            experiment_id=self._id,
            seq=problem.first,
            count=problem.count,
            reason=f"{problem.reason} {problem.detail}".strip(),
            at=self._shared.wall(),
            event=problem.body,
        )
