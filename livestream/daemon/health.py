"""How a Studio is doing, and so who may send to it now.

One ``Studio`` for each (URL, endpoint, token), shared by all experiments that go there, so that fifty runs on a node
behave as one client:

* a *breaker*: after trouble (connect errors, 5xx, timeouts) nobody sends until the back-off is over, then one probes
  while the others wait for its answer;
* *pace*: 429 and Retry-After hold everybody until their time;
* *holds*: a refused token or a wrong URL holds everything until the token changes, or until it is time to look again;
* *concurrency* adapts: one more for every round of successes, a tenth less on trouble (additive increase,
  multiplicative decrease), and never more than ``MAX_BYTES_IN_FLIGHT`` (8 requests of 10 MB at once were half as fast
  as one).

A slot is granted in the order in which it was asked for: no experiment starves another.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from livestream.daemon.vault import Destination
from livestream.sinks.base import Capabilities

FIRST_CONCURRENCY: Final = 4.0
MAX_CONCURRENCY: Final = 32.0
MAX_BYTES_IN_FLIGHT: Final = 16_000_000
CAPABILITIES_FRESH_S: Final = 600.0
_DECREASE: Final = 0.9


class Verdict(msgspec.Struct, frozen=True):
    """What a decision means for everybody who sends to this Studio.

    Attributes:
        ok: The Studio took a request, or answered it as a healthy server does.
        wait_s: Nobody sends for this long.
        hold: Why nothing is sent until something changes.
        note: What to show a user meanwhile.
        refused: The hold is for the token's sake: with another one there is none.
    """

    ok: bool
    wait_s: float = 0.0
    hold: str | None = None
    note: str = ""
    refused: bool = False


class Studio:
    """The shared health of one destination."""

    def __init__(self, destination: Destination, clock: Callable[[], float] = time.monotonic) -> None:
        self.destination = destination
        self.capabilities: Capabilities | None = None
        self.successes = 0
        self.failures = 0
        self.held: str | None = None
        self._refused = False
        self.note = ""
        self.not_before = 0.0
        self.limit = FIRST_CONCURRENCY
        self._capabilities_at = float("-inf")
        self._clock = clock
        self._failing = False
        self._in_flight = 0
        self._bytes_in_flight = 0
        self._tickets: deque[object] = deque()
        self._changed = asyncio.Event()

    def now(self) -> float:
        """The clock of ``not_before``."""
        return self._clock()

    @property
    def capabilities_are_fresh(self) -> bool:
        """Whether what the Studio takes was asked lately."""
        return self.capabilities is not None and self._clock() - self._capabilities_at < CAPABILITIES_FRESH_S

    def learn(self, capabilities: Capabilities) -> None:
        """Keep what the Studio says it takes."""
        self.capabilities = capabilities
        self._capabilities_at = self._clock()

    @property
    def refuses_token(self) -> bool:
        """Whether the token was refused, and it is not time to look again."""
        return self._refused and self.blocked_s > 0

    @property
    def is_well(self) -> bool:
        """Whether nothing speaks against a request: its last answer was good, and no wait or hold is in force."""
        return not self._failing and self.held is None and self.blocked_s == 0

    @property
    def blocked_s(self) -> float:
        """How long nobody may send: a wait, or a hold until it is probed."""
        return max(0.0, self.not_before - self._clock())

    @asynccontextmanager
    async def slot(self, size: int) -> AsyncIterator[None]:
        """Wait for the turn to send ``size`` bytes, and hold it."""
        ticket = object()
        self._tickets.append(ticket)
        try:
            while not self._admits(ticket, size):
                await self._change()
            self._in_flight += 1
            self._bytes_in_flight += size
        finally:
            self._tickets.remove(ticket)
            self._notify()
        try:
            yield
        finally:
            self._in_flight -= 1
            self._bytes_in_flight -= size
            self._notify()

    def _admits(self, ticket: object, size: int) -> bool:
        if self._tickets[0] is not ticket or self.blocked_s > 0:
            return False
        if self._in_flight == 0:
            return True
        allowed = 1 if self._failing else int(self.limit)
        return self._in_flight < allowed and self._bytes_in_flight + size <= MAX_BYTES_IN_FLIGHT

    async def _change(self) -> None:
        """Wait until something may have changed: a slot given back, an answer, the end of a wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.blocked_s or None):
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def report(self, verdict: Verdict) -> None:
        """Take in how a request ended."""
        self.note = verdict.note
        self.held = verdict.hold
        self._refused = verdict.refused
        if verdict.ok:
            self.successes += not (verdict.hold or verdict.wait_s)
            self._failing = False
            self.failures = 0
            self.not_before = 0.0
            self.limit = min(MAX_CONCURRENCY, self.limit + 1.0 / self.limit)
        else:
            self._failing = True
            self.failures += 1
            self.limit = max(1.0, self.limit * _DECREASE)
        if verdict.wait_s:
            self.not_before = max(self.not_before, self._clock() + verdict.wait_s)
        self._notify()

    def release(self) -> None:
        """Let a hold or a wait go: somebody asked for one more try."""
        self.held = None
        self.not_before = 0.0
        self._notify()
