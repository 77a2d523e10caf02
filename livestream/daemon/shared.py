"""What all lanes of a daemon share: the books, the sink, the Studios and the tokens, the clock and the dice."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from livestream.daemon.bookkeeper import Bookkeeper
from livestream.daemon.health import Studio, Verdict
from livestream.daemon.vault import Destination, NoDestination, Vault
from livestream.pipeline.decide import Context, Hold, Retry, Unauthorized, Unavailable, decide
from livestream.sinks.base import Capabilities, Sink
from livestream.spool.layout import WriterInfo
from livestream.spool.rows import TargetRow

logger = logging.getLogger("livestream.daemon")

OFFLINE: Final = "offline: this run was told to keep its data here; `livestream sync` sends it"


_STUDIO_EVENTS: Final = {
    "held": "livestream.studio_held",
    "waiting": "livestream.studio_waiting",
    "up": "livestream.studio_up",
}


class Counts(msgspec.Struct):
    """What the daemon did since it began, for progress bars and logs."""

    requests: int = 0
    bytes_sent: int = 0


class Shared:
    """Shared by the lanes of one daemon."""

    def __init__(self, spool: Path, books: Bookkeeper, sink: Sink, vault: Vault) -> None:
        self.spool = spool
        self.books = books
        self.sink = sink
        self.vault = vault
        self.send_offline = False
        self.counts = Counts()
        self.studios: dict[tuple[str, str, str], Studio] = {}
        self.clock: Callable[[], float] = time.monotonic
        self.wall: Callable[[], float] = time.time
        self.jitter: Callable[[], float] = random.random
        self.look_everywhere: Callable[[], Awaitable[None]] = _nowhere
        self._said: dict[str, str] = {}
        self._asking: dict[tuple[str, str, str], asyncio.Lock] = {}

    def studio_for(self, info: WriterInfo, later: Sequence[WriterInfo] = ()) -> Studio | NoDestination:
        """Find the Studio that a writer's events go to now.

        Args:
            info: Of the writer.
            later: Of the same experiment's writers after it: where the Studio refuses the token that this one came
                with, theirs for the same URL may do.
        """
        if info.offline and not self.send_offline:
            return NoDestination(info.url or "", OFFLINE)
        destination = self.vault.resolve(info)
        if isinstance(destination, NoDestination):
            return destination
        studio = self.studio(destination)
        if not studio.refuses_token:
            return studio
        others = [other for one in (info, *later) for other in self.vault.resolve_all(one)]
        fitting = [self.studio(other) for other in others if other.target.url == destination.target.url]
        return next((other for other in fitting if not other.refuses_token), studio)

    def studio(self, destination: Destination) -> Studio:
        """Give a destination's shared health."""
        if destination.key not in self.studios:
            self.studios[destination.key] = Studio(destination, self.clock)
        return self.studios[destination.key]

    async def learn(self, studio: Studio) -> Capabilities | None:
        """Know what a Studio takes, asking it where that was not done lately; ``None`` where it cannot be asked now."""
        async with self._asking.setdefault(studio.destination.key, asyncio.Lock()):
            if studio.capabilities_are_fresh or (studio.capabilities is not None and studio.blocked_s > 0):
                return studio.capabilities
            answer = await self.sink.capabilities(studio.destination.target)
            if isinstance(answer, Capabilities):
                studio.learn(answer)
                return answer
            decision = decide(answer, Context(attempts=studio.failures + 1, jitter=self.jitter()))
            if isinstance(decision, Retry):
                note = answer.detail if isinstance(answer, Unavailable) else "asked to wait"
                await self.report(studio, Verdict(not decision.trouble, wait_s=decision.after_s, note=note))
            elif isinstance(decision, Hold):
                reason, refused = decision.reason, isinstance(answer, Unauthorized)
                verdict = Verdict(True, wait_s=decision.probe_after_s, hold=reason, note=reason, refused=refused)
                await self.report(studio, verdict)
            return None

    async def probe(self, studio: Studio) -> bool:
        """Ask whether a Studio answers at all, when one body keeps failing."""
        return isinstance(await self.sink.capabilities(studio.destination.target), Capabilities)

    async def report(self, studio: Studio, verdict: Verdict) -> None:
        """Take in how a Studio answered; what changed is logged once and shown by ``livestream status``."""
        studio.report(verdict)
        url, _, fingerprint = studio.destination.key
        state = "held" if verdict.hold else "up" if verdict.ok and not verdict.wait_s else "waiting"
        if self.say_once(f"studio {url} {fingerprint}", f"{state} {verdict.hold or ''}"):
            level = logging.INFO if state == "up" else logging.WARNING
            logger.log(level, _STUDIO_EVENTS[state], extra={"url": url, "detail": verdict.note})
        elif state == "up":
            return
        until = self.wall() + verdict.wait_s if verdict.wait_s else None
        row = TargetRow(url=url, fingerprint=fingerprint, state=state, detail=verdict.note, until=until)
        await self.books.do(lambda books: books.put_target(row))

    def say_once(self, about: str, what: str) -> bool:
        """Tell whether something is news: the same about the same is said once."""
        if self._said.get(about) == what:
            return False
        self._said[about] = what
        return True


async def _nowhere() -> None:
    """Look at nothing: there is no daemon around these lanes."""
