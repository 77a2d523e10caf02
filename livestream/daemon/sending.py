"""One round of one experiment: make the update, commit the plan, send its parts, and do what the answers mean.

What is decided is the pipeline's (``decide``); what follows is done here, books first. A plan is committed before the
first byte is sent and part by part as answers come, so that after a crash the same requests are sent again and only the
one without an answer is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from livestream.daemon.account import Account
from livestream.daemon.entry import Entry
from livestream.daemon.health import Studio, Verdict
from livestream.daemon.shared import Shared
from livestream.daemon.shipment import (
    Plan,
    Shipment,
    UnreadableImageError,
    body_of,
    build,
    headers_for,
    plan_for,
    source_of,
)
from livestream.events import Data, Record
from livestream.pipeline.body import Part
from livestream.pipeline.chunk import Limits, Unfit
from livestream.pipeline.coalesce import coalesce
from livestream.pipeline.decide import (
    Ack,
    Context,
    DeadLetter,
    Decision,
    Hold,
    Outcome,
    Retry,
    Suspect,
    Unauthorized,
    Unavailable,
    decide,
)
from livestream.pipeline.update import Update
from livestream.sinks.base import Capabilities, Request
from livestream.spool.blobs import read_blob
from livestream.spool.reader import Batch
from livestream.spool.rows import DeadLetter as Letter
from livestream.spool.rows import ExperimentRow, PlanRow
from livestream.spool.state import State

logger = logging.getLogger("livestream.daemon")

PARKED_RETRY_S: Final = 3600.0
SMALLEST_REQUEST_BYTES: Final = 64 * 1024
PROBE_AFTER_FAILURES: Final = 5


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a round ended.

    Attributes:
        accepted: The update is delivered.
        wait_s: Come again after this.
        hold: Why the experiment is held.
        halve: Try with half as many events.
        refused: Why this part can never arrive, where the update's other parts may.
    """

    accepted: bool = False
    wait_s: float = 0.0
    hold: str | None = None
    halve: bool = False
    refused: str | None = None


class CurrentPlan(msgspec.Struct, frozen=True):
    """The plan of a round: a new one, or the one that an earlier round committed to."""

    content: Plan
    row: PlanRow | None = None

    def max_events(self, otherwise: int) -> int:
        """How many events to read for it."""
        return otherwise if self.row is None else self.row.last - self.row.first + 1

    def anew(self) -> CurrentPlan:
        """Plan once more: what was planned cannot be had any more."""
        return CurrentPlan(self.content)

    def records(self, read: Sequence[Record]) -> Sequence[Record]:
        """Pick the records that an earlier round planned; none where they cannot be had any more."""
        if self.row is None:
            return ()
        planned = [record for record in read if self.row.first <= record.seq <= self.row.last]
        whole = planned and planned[0].seq == self.row.first and planned[-1].seq == self.row.last
        return planned if whole else ()


class Round(msgspec.Struct, frozen=True):
    """What one round sends: ``records`` of ``entry``, as they were read in ``batch``.

    A *virtual* round sends an event that no writer emitted (the ``done`` of a dead one), so it moves no cursor.
    """

    entry: Entry
    studio: Studio
    plan: CurrentPlan
    records: Sequence[Record]
    batch: Batch
    virtual: bool = False


class Sender:
    """Sends one experiment's updates and keeps its state."""

    def __init__(self, shared: Shared, row: ExperimentRow) -> None:
        self.account = Account(shared, row)
        self._shared = shared
        self._id = row.id
        self._name = row.experiment.name
        self._failures: dict[tuple[str, int, int, int], _Failures] = {}
        self._unreadable: frozenset[str] = frozenset()
        self._limits: Limits | None = None
        self._outgrown: set[str] = set()

    async def plan_of(self, entry: Entry, studio: Studio) -> CurrentPlan:
        """Give the plan that a writer's next update is bound to, or a new one by what the Studio takes."""
        row = await self._shared.books.do(lambda books: books.plan(entry.uid))
        if row is not None and row.first == entry.read_from + 1:
            with suppress(msgspec.DecodeError):
                return CurrentPlan(msgspec.json.decode(row.profile, type=Plan), row)
        plan = plan_for(studio.capabilities or Capabilities())
        return CurrentPlan(plan if self._limits is None else Plan(self._limits, plan.profile))

    async def send(self, this: Round) -> Answer:
        """Send one update."""
        update = coalesce(this.records, self.account.state, source_of(this.entry.info), this.plan.content.profile)
        shipment = await build(update, this.plan.content, partial(read_blob, this.entry.folder), self._unreadable)
        if len(this.records) > 1 and any(self._is_new_without_seq(unfit) for unfit in shipment.chunks.unfit):
            return await self._halve(this)
        first_part = await self._commit_plan(this, shipment)
        refused: list[str] = []
        for part in shipment.parts[first_part:]:
            try:
                outcome = await self._post(this, shipment, part)
            except UnreadableImageError as error:
                self._unreadable |= {error.path}
                await self._drop_plan(this)
                return Answer()
            answer = await self._settle(this, part, outcome)
            if answer is not None and answer.refused is None:
                return answer
            if answer is not None and answer.refused is not None:
                refused.append(answer.refused)
            # A refused part stays next in the plan: after a crash its letter would not be known otherwise.
            if part.index + 1 < part.count and not this.virtual and not refused:
                await self._shared.books.do(partial(_advance, writer=this.entry.uid, next_part=part.index + 2))
        await self._acknowledge(this, shipment, refused)
        return Answer(accepted=True)

    def _is_new_without_seq(self, unfit: Unfit) -> bool:
        """Whether a merged file has just outgrown the limits: halving finds the event that did it."""
        return unfit.seq is None and unfit.path not in self._outgrown

    async def _commit_plan(self, this: Round, shipment: Shipment) -> int:
        """Commit to the cut; tell which part is next, from 0."""
        parts = len(shipment.parts)
        known = this.plan.row
        if this.virtual or parts == 0:
            return 0
        if known is not None and known.parts == parts and known.last == shipment.update.last:
            return known.next_part - 1
        row = PlanRow(
            writer=this.entry.uid,
            first=shipment.update.first,
            last=shipment.update.last,
            parts=parts,
            profile=msgspec.json.encode(this.plan.content),
        )
        await self._shared.books.do(lambda books: books.set_plan(row))
        return 0

    async def _post(self, this: Round, shipment: Shipment, part: Part) -> Outcome:
        capabilities = this.studio.capabilities or Capabilities()
        body = await body_of(shipment, part)
        headers = {}
        if capabilities.advertised and shipment.update.first > 0:  # a start that nobody emitted has no number
            headers = headers_for(shipment.update, part.index + 1, part.count, self._facts(this, part))
        request = Request(body=body, headers=headers, compress="gzip" in capabilities.compression)
        outcome = await self._shared.sink.send(this.studio.destination.target, request)
        self._shared.counts.requests += 1
        self._shared.counts.bytes_sent += len(body)
        return outcome

    def _facts(self, this: Round, part: Part) -> dict[str, str]:
        is_last = part.index + 1 == part.count  # before it, the update's own events wait too
        waiting = this.entry.waiting(self._shared.wall(), this.records[-1] if is_last else None)
        losses = this.entry.losses()
        facts = {}
        if waiting.rows:
            facts["Livestream-Backlog"] = f"{waiting.rows},{waiting.bytes},{waiting.oldest_s:.0f}"
        if losses:
            facts["Livestream-Losses"] = ",".join(f"{reason}={count}" for reason, count in sorted(losses.items()))
        return facts

    # -- what an answer means

    async def _settle(self, this: Round, part: Part, outcome: Outcome) -> Answer | None:
        """Do what an answer means; ``None`` goes on with the next part."""
        key = (this.entry.uid, this.records[0].seq, this.records[-1].seq, part.index)
        decision = await self._decide(this, part, outcome, key)
        match decision:
            case Ack():
                self._failures.pop(key, None)
                await self._shared.report(this.studio, Verdict(ok=True))
                return None
            case Retry():
                note = _detail(outcome)
                await self._shared.report(
                    this.studio, Verdict(not decision.trouble, wait_s=decision.after_s, note=note)
                )
                await self._note(note)
                return Answer(wait_s=decision.after_s)
            case Hold(scope="studio"):
                reason, refused = decision.reason, isinstance(outcome, Unauthorized)
                verdict = Verdict(True, wait_s=decision.probe_after_s, hold=reason, note=reason, refused=refused)
                await self._shared.report(this.studio, verdict)
                await self._note(decision.reason)
                return Answer()
        self._failures.pop(key, None)
        await self._shared.report(this.studio, Verdict(ok=True))
        return await self._settle_for_good(this, part, decision)

    async def _settle_for_good(self, this: Round, part: Part, decision: Decision) -> Answer:
        entry, now = this.entry, self._shared.wall()
        match decision:
            case Hold():
                entry.clear_suspects()
                await self._drop_plan(this)
                await self._shared.books.do(lambda books: books.hold_experiment(self._id, decision.reason, now))
                if self._shared.say_once(f"experiment {self._id}", decision.reason):
                    logger.warning(
                        "livestream.experiment_held", extra={"experiment": self._name, "reason": decision.reason}
                    )
                return Answer(wait_s=decision.probe_after_s, hold=decision.reason)
            case Suspect():
                letter = self.account.letter(this.entry, this.records[0], decision.reason, decision.status)
                span = self.account.span(entry, this.batch, this.records)
                entry.suspect([*span.letters, letter])
                await self._drop_plan(this)
                return Answer()
            case DeadLetter(status=413) if part.count > 1:
                return Answer(refused=f"{_contents(part)}: {decision.reason}")
            case DeadLetter():
                retry_at = now + PARKED_RETRY_S if decision.parked else None
                letter = self.account.letter(this.entry, this.records[0], decision.reason, decision.status, retry_at)
                await self._bury(this, letter)
                return Answer()
            case _:  # Split
                return await self._halve(this, part)

    async def _decide(self, this: Round, part: Part, outcome: Outcome, key: tuple[str, int, int, int]) -> Decision:
        failures = self._failures.get(key)
        if isinstance(outcome, Unavailable):
            failures = failures or self._failures.setdefault(key, _Failures(successes=this.studio.successes))
            failures.count += 1
        attempts = failures.count if failures else 1
        others = failures is not None and this.studio.successes > failures.successes
        if isinstance(outcome, Unavailable) and outcome.status and attempts >= PROBE_AFTER_FAILURES and not others:
            others = await self._shared.probe(this.studio)
        return decide(
            outcome,
            Context(
                attempts=attempts,
                others_succeeded=others,
                events=len(this.records),
                items=part.pieces,
                is_start=not isinstance(this.records[0].event, Data) and part.kind == "start",
                accepted_data=self.account.accepted_data,
                earlier_suspects=this.entry.suspected,
                jitter=self._shared.jitter(),
            ),
        )

    async def _halve(self, this: Round, part: Part | None = None) -> Answer:
        await self._drop_plan(this)
        if len(this.records) > 1:
            return Answer(halve=True)
        limits = this.plan.content.limits
        size = max(SMALLEST_REQUEST_BYTES, min(limits.max_request_bytes, limits.target_request_bytes) // 2)
        plots = max(1, (part.items if part is not None else limits.max_plots) // 2)
        self._limits = msgspec.structs.replace(
            limits, max_request_bytes=size, target_request_bytes=size, max_plots=plots
        )
        return Answer()

    async def _drop_plan(self, this: Round) -> None:
        if not this.virtual:
            await self._shared.books.do(lambda books: books.drop_plan(this.entry.uid))

    async def _note(self, text: str) -> None:
        if self._shared.say_once(f"error {self._id}", text):
            await self._shared.books.do(lambda books: books.note_error(self._id, text))

    # -- the books

    async def _acknowledge(self, this: Round, shipment: Shipment, refused: Sequence[str]) -> None:
        update = shipment.update
        unfit: dict[int, list[str]] = {}
        for item in shipment.chunks.unfit:
            if item.seq is None and not self._is_new_without_seq(item):
                continue  # its dead letter is written: what was too large then still is
            if item.seq is None:
                self._outgrown.add(item.path)
            seq = update.last if item.seq is None else item.seq
            unfit.setdefault(seq, []).append(f"{item.path}: {item.reason}")
        if refused:
            unfit.setdefault(update.last, []).extend(refused)
        letters = [
            self.account.letter(this.entry, record, "; ".join(unfit[record.seq]), 413 if refused else None)
            for record in this.records
            if record.seq in unfit and not this.virtual
        ]
        if update.kind == "data" and len(shipment.parts) > len(refused):
            self.account.accepted_data = True
        await self._close(this, letters, update)
        self._unreadable = frozenset()
        self._limits = None

    async def _bury(self, this: Round, letter: Letter) -> None:
        logger.warning(
            "livestream.dead_letter",
            extra={"experiment": self._name, "writer": letter.writer, "seq": letter.seq, "reason": letter.reason},
        )
        await self._close(this, [letter], None)

    async def _close(self, this: Round, letters: list[Letter], update: Update | None) -> None:
        """Move the cursor past a round; a virtual one decides at most what was put aside before it."""
        if this.virtual:
            await self.account.commit(this.entry, this.entry.read_from, [], update)
            return
        span = self.account.span(this.entry, this.batch, this.records)
        await self.account.commit(this.entry, span.last, [*span.letters, *letters], update)
        if this.records and this.entry.queued:
            this.entry.oldest = this.records[-1].event.time  # what follows is no older; beats come before the next look


def _contents(part: Part) -> str:
    return ", ".join([*(piece.path for piece in part.series), *part.snapshots, *part.images]) or "its metrics"


def _advance(books: State, *, writer: str, next_part: int) -> None:
    books.advance_plan(writer, next_part)


class _Failures(msgspec.Struct):
    successes: int
    count: int = 0


def _detail(outcome: Outcome) -> str:
    if isinstance(outcome, Unavailable):
        return f"{outcome.status}: {outcome.detail}" if outcome.status else outcome.detail
    return "the Studio asks to wait"
