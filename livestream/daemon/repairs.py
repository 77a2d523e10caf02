"""One more try for dead letters: those that somebody asked to retry, and parked ones once an hour.

A retried letter is marked as a repair: it passes the receiver's mark, and it carries rows, images and plots but neither
metrics nor parameters, because newer ones have been delivered since.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

import msgspec

from livestream.daemon.entry import Entry
from livestream.daemon.health import Studio, Verdict
from livestream.daemon.sending import PARKED_RETRY_S
from livestream.daemon.shared import Shared
from livestream.daemon.shipment import UnreadableImageError, body_of, build, headers_for, plan_for, source_of
from livestream.events import Data, Record, decode
from livestream.pipeline.coalesce import coalesce
from livestream.pipeline.decide import Accepted, Misdirected, Rejected, Throttled, TooLarge, Unauthorized, Unavailable
from livestream.pipeline.update import ExperimentState
from livestream.sinks.base import Capabilities, Request
from livestream.spool.dead_blobs import drop_dead_blobs, read_dead_blob
from livestream.spool.rows import DeadLetter, Settlement

logger = logging.getLogger("livestream.daemon")

UNAVAILABLE_RETRY_S: Final = 60.0


class Tried(msgspec.Struct, frozen=True):
    """How one more try ended; ``again_after_s`` where the Studio could not be asked."""

    accepted: bool
    reason: str | None = None
    again_after_s: float | None = None


async def repair(shared: Shared, entry: Entry, studio: Studio, state: ExperimentState, letter: DeadLetter) -> None:
    """Try one letter once more, and settle it: delivered, dead again, or due later."""
    whole = await shared.books.do(lambda books: books.letters.show(letter.id))
    if whole is None or whole.event is None:
        return  # delivered, or dropped, meanwhile
    try:
        tried = await _send(shared, entry, studio, state, whole)
    except (UnreadableImageError, msgspec.DecodeError, ValueError) as error:
        tried = Tried(False, f"it cannot be read: {error}")
    again_after_s = tried.again_after_s or (PARKED_RETRY_S if letter.kind == "parked" else None)
    now = shared.wall()
    settlement = Settlement(
        id=letter.id,
        accepted=tried.accepted,
        at=now,
        reason=tried.reason,
        retry_at=None if tried.accepted or again_after_s is None else now + again_after_s,
    )
    drop_dead_blobs(shared.spool, await shared.books.do(lambda books: books.letters.settle(settlement)))
    event = "livestream.letter_delivered" if tried.accepted else "livestream.letter_refused"
    logger.info(event, extra={"letter": letter.id, "reason": tried.reason or ""})


async def _send(shared: Shared, entry: Entry, studio: Studio, state: ExperimentState, letter: DeadLetter) -> Tried:
    capabilities = studio.capabilities or Capabilities()
    event = decode(letter.event or b"")
    if not isinstance(event, Data):
        return Tried(False, "only data can be tried again")
    update = coalesce([Record(letter.seq, event, letter.size)], state, source_of(entry.info), capabilities.profile)
    update = msgspec.structs.replace(update, metrics={}, params={})
    shipment = await build(update, plan_for(capabilities), partial(read_dead_blob, shared.spool))
    if shipment.chunks.unfit:
        return Tried(False, "; ".join(f"{item.path}: {item.reason}" for item in shipment.chunks.unfit))
    for part in shipment.parts:
        body = await body_of(shipment, part)
        headers = {}
        if capabilities.advertised:
            headers = headers_for(update, part.index + 1, part.count, {"Livestream-Repair": "1"})
        request = Request(body=body, headers=headers, compress="gzip" in capabilities.compression)
        async with studio.slot(len(body)):
            outcome = await shared.sink.send(studio.destination.target, request)
        match outcome:
            case Accepted():
                await shared.report(studio, Verdict(ok=True))
            case Rejected() | TooLarge():
                return Tried(False, f"refused again ({outcome.status})")
            case Unavailable() | Throttled() | Unauthorized() | Misdirected():
                return Tried(False, None, UNAVAILABLE_RETRY_S)
    return Tried(True)
