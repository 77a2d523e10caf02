"""Heartbeats: tell each Studio that asks for them which writers live, and what waits for it on this node.

A Studio that hears nothing cannot tell a training in a long epoch from one whose machine is gone. So as often as it
asks for (every 15 s) it gets one request with a beat a living writer, whether there is data or not.

Beats stand outside the books, and nothing of them can hold up data:

* They take no slot, are never sent again, and are given up after one period; what comes of them is not reported to the
  Studio's health, so a beat that fails slows nothing down.
* None goes to a Studio that is held, asks to wait, or is in trouble: the data that waits finds out when it is well.
* A Studio that refuses beats, or its token, is left alone for ten minutes; one that asks for patience, as long as told.

Beats of an experiment begin when the Studio has taken its ``start``: before, it does not know who they are about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from livestream.daemon.entry import Entry
from livestream.daemon.health import CAPABILITIES_FRESH_S, Studio
from livestream.daemon.lane import Lane
from livestream.daemon.shared import Shared
from livestream.pipeline.decide import THROTTLE_S, Accepted, Outcome, Throttled, Unavailable
from livestream.sinks.base import HEARTBEAT_S, Capabilities, Request

logger = logging.getLogger("livestream.daemon")

TICK_S: Final = 1.0
MAX_BEATS: Final = 1_000
"""In one request."""

ALIVE_WITHIN_S: Final = 60.0
"""A writer on another host writes a heartbeat file every 10 s; one that missed six is not called alive."""

REFUSED_PAUSE_S: Final = CAPABILITIES_FRESH_S

_Key: TypeAlias = tuple[str, str, str]


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """One living writer of one experiment; the JSON of ``docs/wire.md``.

    Attributes:
        writer: Its id, as in ``Livestream-Update``.
        rows: Events that wait on this node.
        bytes: What they measure there, estimated.
        oldest_s: Age of the oldest of them.
        losses: Events refused so far, by reason, and under ``trimmed`` those that went without their images.
    """

    repo_url: str
    baseline_sha: str
    name: str
    writer: str
    rows: int
    bytes: int
    oldest_s: float
    losses: dict[str, int]


class _Body(msgspec.Struct, frozen=True):
    beats: Sequence[Beat]


class _Group(msgspec.Struct, frozen=True):
    """The living writers whose events go to one Studio."""

    studio: Studio
    beats: list[Beat]


class Beats:
    """The heartbeats of one daemon; ``run`` is a task of its own, cancelled at the end."""

    def __init__(self, shared: Shared, lanes: Callable[[], Iterable[Lane]], *, orphan_after_s: float) -> None:
        self._shared = shared
        self._lanes = lanes
        self._alive_within_s = min(ALIVE_WITHIN_S, orphan_after_s)
        self._next: dict[_Key, float] = {}
        self._survey_at = shared.clock()
        self._telling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Beat for ever."""
        try:
            while True:
                await asyncio.sleep(TICK_S)
                try:
                    await self.look()
                except Exception:
                    logger.exception("livestream.beats_failed", extra={"spool": str(self._shared.spool)})
        finally:
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def look(self) -> None:
        """Begin what is due now; no more than a glance where nothing is."""
        now = self._shared.clock()
        due = {key: studio for key, studio in self._shared.studios.items() if self._is_due(studio, now)}
        if not due and now < self._survey_at:
            return
        if now >= self._survey_at:  # also for Studios that were not asked yet: their writers have been silent
            self._survey_at = now + HEARTBEAT_S
        groups = await self._survey()
        for key, studio in due.items():
            self._next[key] = now + _period_s(studio)
        for key, group in groups.items():
            if group.studio.is_well and (key in due or now >= self._next.get(key, now)):
                self._next[key] = now + _period_s(group.studio)
                task = asyncio.create_task(self._tell(group), name=f"beats {key[0]}")
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    def _is_due(self, studio: Studio, now: float) -> bool:
        wanted = studio.capabilities is not None and studio.capabilities.heartbeats
        return wanted and studio.is_well and now >= self._next.get(studio.destination.key, now)

    # -- who lives

    async def _survey(self) -> dict[_Key, _Group]:
        """Find the living writers and where their events go; gives way to other tasks after each."""
        groups: dict[_Key, _Group] = {}
        for lane in list(self._lanes()):
            if not lane.has_begun:
                continue
            for entry, studio in self._living(lane):
                group = groups.setdefault(studio.destination.key, _Group(studio, []))
                group.beats.append(self._beat(entry))
                await asyncio.sleep(0)
        return groups

    def _living(self, lane: Lane) -> Iterator[tuple[Entry, Studio]]:
        now = self._shared.clock()
        entries = [lane.entries[uid] for uid in sorted(lane.entries)]
        for place, entry in enumerate(entries):
            if entry.finished or entry.complete or entry.gone:
                continue
            try:
                alive = entry.is_alive(now, self._alive_within_s)
            except OSError:
                continue  # the roster says what is wrong with this folder
            if not alive:
                continue
            studio = self._shared.studio_for(entry.info, [later.info for later in entries[place + 1 :]])
            if isinstance(studio, Studio):
                yield entry, studio

    def _beat(self, entry: Entry) -> Beat:
        experiment = entry.info.experiment
        waiting = entry.waiting(self._shared.wall())
        return Beat(
            repo_url=experiment.repo_url,
            baseline_sha=experiment.baseline_sha,
            name=experiment.name,
            writer=entry.uid,
            rows=waiting.rows,
            bytes=waiting.bytes,
            oldest_s=round(waiting.oldest_s, 3),
            losses=entry.losses(),
        )

    # -- telling

    async def _tell(self, group: _Group) -> None:
        """Tell one Studio, once; whatever fails, the next beat says it all anew."""
        studio = group.studio
        try:
            async with asyncio.timeout(_period_s(studio)):
                capabilities = await self._capabilities(studio)
                if capabilities is not None and capabilities.heartbeats:
                    await self._post(group, compress="gzip" in capabilities.compression)
        except TimeoutError:
            pass
        except Exception:
            logger.exception("livestream.beat_failed", extra={"url": studio.destination.target.url})

    async def _post(self, group: _Group, *, compress: bool) -> None:
        for first in range(0, len(group.beats), MAX_BEATS):
            body = msgspec.json.encode(_Body(group.beats[first : first + MAX_BEATS]))
            request = Request(body=body, compress=compress)
            outcome = await self._shared.sink.beat(group.studio.destination.target, request)
            if not isinstance(outcome, Accepted):
                self._give_way(group.studio, outcome)
                return

    async def _capabilities(self, studio: Studio) -> Capabilities | None:
        """Know what a Studio takes; unlike the lanes' question, one without an answer counts for nothing."""
        if studio.capabilities_are_fresh:
            return studio.capabilities
        answer = await self._shared.sink.capabilities(studio.destination.target)
        if isinstance(answer, Capabilities):
            studio.learn(answer)
            self._next[studio.destination.key] = self._shared.clock() + answer.heartbeat_s
            return answer
        self._give_way(studio, answer)
        return None

    def _give_way(self, studio: Studio, outcome: Outcome) -> None:
        if isinstance(outcome, Unavailable):
            return  # as well as any other beat the next may get through
        throttled = isinstance(outcome, Throttled)
        pause_s = outcome.retry_after_s or THROTTLE_S if isinstance(outcome, Throttled) else REFUSED_PAUSE_S
        url, _, fingerprint = key = studio.destination.key
        self._next[key] = max(self._next.get(key, 0.0), self._shared.clock() + pause_s)
        reason = repr(outcome)
        if not throttled and self._shared.say_once(f"beats {url} {fingerprint}", reason):
            logger.warning("livestream.beats_refused", extra={"url": url, "reason": reason})


def _period_s(studio: Studio) -> float:
    return HEARTBEAT_S if studio.capabilities is None else studio.capabilities.heartbeat_s
