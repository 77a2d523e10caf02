"""What has changed, told as it happens: ``/api/feed`` as a stream, ``/api/changes`` where proxies allow none.

Both follow one number, a place in the change log. A page asks for what it shows (the answer says up to which place),
then follows from there; after a break it says where it was and is told the rest. Where the log does not reach back so
far it is told to start afresh. The stream begins by listening and only then reads the log, so that nothing falls
between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.studio.auth.base import Caller
from livestream.studio.broker import News, Subscription, encoded, news_of
from livestream.studio.http.context import Services, caller_of, services_of
from livestream.studio.http.listing import visible
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route, query_of
from livestream.studio.http.security import still_may
from livestream.studio.store.base import Change, Reader

HEARTBEAT_S: Final = 15.0
"""A comment in a silent stream: proxies close what says nothing for a minute."""
LOOK_S: Final = 1.0
"""How soon a stream notices that its client is gone."""
WRITE_TIMEOUT_S: Final = 60.0
MAX_LISTENERS: Final = 1_000
MAX_CHANGES: Final = 1_000
"""Experiments in one answer, and in what a stream is told after a break; beyond it starting afresh is cheaper."""

_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the stream until its buffer is full
}


class FeedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Where to begin; the ``Last-Event-ID`` header wins, and without both it begins now."""

    since: Annotated[int, Meta(ge=0, lt=1 << 62)] | None = None


class ChangesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Changes after ``since``; where there are none yet, wait up to ``wait_s`` for one."""

    since: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0
    wait_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    limit: Annotated[int, Meta(ge=1, le=MAX_CHANGES)] = MAX_CHANGES


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed.

    Attributes:
        changes: The newest change of each experiment after ``since``, by ``seq``.
        last: Ask with this next.
        reset: The log does not reach back to ``since``: read everything anew, then follow from ``last``.
    """

    changes: list[News]
    last: int
    reset: bool = False


async def get_changes(request: web.Request) -> web.Response:
    """Answer what changed since a place in the log."""
    services, caller = services_of(request), caller_of(request)
    query = query_of(request, ChangesQuery)
    if query.wait_s:
        await services.broker.wait_beyond(query.since, query.wait_s)
        if not still_may(request, "read"):
            raise ProblemError(401, "the token ended while this waited")
    changes, last = await services.readers.ask(lambda reader: _changes(reader, query.since, query.limit))
    if changes is None:
        return json_response(Changes(changes=[], last=last, reset=True))
    if changes:
        last = changes[-1].seq
    seen = await Sight(services, caller).among(changes)
    return json_response(Changes(changes=[news_of(change) for change in seen], last=max(last, query.since)))


async def get_feed(request: web.Request) -> web.StreamResponse:
    """Stream changes until the client goes, the server ends, or the caller's token does."""
    services, caller = services_of(request), caller_of(request)
    since = _since(request, query_of(request, FeedQuery))
    if services.broker.listeners >= MAX_LISTENERS:
        raise ProblemError(503, f"{MAX_LISTENERS} streams are open already", {"Retry-After": "30"})
    response = web.StreamResponse(headers=_HEADERS)
    with services.broker.subscribe() as heard:
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        services.counters.viewers += 1
        try:
            await _stream(request, response, heard, since, Sight(services, caller))
        except (ConnectionError, TimeoutError):
            pass  # the browser is gone, or does not read: it comes again and says where it was
        finally:
            services.counters.viewers -= 1
            services.counters.viewers_reset += heard.resets
    return response


async def _stream(
    request: web.Request, response: web.StreamResponse, heard: Subscription, since: int | None, sight: Sight
) -> None:
    services = services_of(request)
    told = await _tell_rest(response, services, since, sight)
    loop = asyncio.get_running_loop()
    speak_at = loop.time() + HEARTBEAT_S
    while not services.broker.closed and request.transport is not None:
        packets = await heard.take(LOOK_S)
        if not still_may(request, "read"):
            return
        changes = [packet.change for packet in packets if packet.change is not None]
        sight.forget([change.experiment for change in changes if change.kind == "facts"])
        visible = await sight.ids([change.experiment for change in changes])
        news = [
            packet.encoded
            for packet in packets
            if packet.change is None
            or ((packet.passing or packet.change.seq > told) and packet.change.experiment in visible)
        ]
        if loop.time() >= speak_at:
            news.append(b": still here\n\n")
            speak_at = loop.time() + HEARTBEAT_S
        if news:
            await _write(response, b"".join(news))


async def _tell_rest(response: web.StreamResponse, services: Services, since: int | None, sight: Sight) -> int:
    """Tell what came since the client was last here; give the place up to which it knows everything."""
    changes: list[Change] | None = []
    last = services.broker.resume
    if since is not None:
        changes, last = await services.readers.ask(lambda reader: _changes(reader, since, MAX_CHANGES + 1))
        if changes is not None and len(changes) > MAX_CHANGES:
            changes = None
    start = last if since is None else since
    await _write(response, b'retry: 2000\nid: %d\nevent: hello\ndata: {"seq":%d}\n\n' % (start, start))
    if changes is None:
        await _write(response, encoded(None, last))
    elif changes:
        seen = await sight.among(changes)
        await _write(response, b"".join(encoded(change, change.seq) for change in seen))
    return last


async def _write(response: web.StreamResponse, content: bytes) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(content)


def _changes(reader: Reader, since: int, limit: int) -> tuple[list[Change] | None, int]:
    """Read the log after a place, and its end; a place that is not there yet is from another life of this folder."""
    last = reader.last_change()
    return (None, last) if since > last else (reader.changes(since, limit), last)


def _since(request: web.Request, query: FeedQuery) -> int | None:
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return query.since
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        return (1 << 62) - 1  # none of ours: it is told to start afresh
    return int(text)


class Sight:
    """Which experiments a caller may see: all, unless its token is for one project."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._project = caller.project
        self._known: dict[int, bool] = {}

    async def among(self, changes: Sequence[Change]) -> list[Change]:
        """Leave out what the caller may not see."""
        visible = await self.ids([change.experiment for change in changes])
        return [change for change in changes if change.experiment in visible]

    async def ids(self, experiments: Sequence[int]) -> Collection[int]:
        """Give those of some experiments that the caller may see."""
        if self._project is None:
            return frozenset(experiments)
        unknown = tuple({one for one in experiments if one not in self._known})
        if unknown:
            found = {0, *await self._services.readers.ask(lambda reader: visible(reader, unknown, self._project))}
            self._known |= {one: one in found for one in unknown}
        return {one for one in experiments if self._known[one]}

    def forget(self, experiments: Sequence[int]) -> None:
        """Look at some anew the next time: their folder may have become known."""
        for one in experiments:
            self._known.pop(one, None)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/changes",
        handler=get_changes,
        summary="What changed since a place in the change log; waits for news if asked to.",
        query=ChangesQuery,
        answer=Changes,
    ),
    Route(
        method="GET",
        path="/api/feed",
        handler=get_feed,
        summary="Server-sent events: hello, then change and reset, each with the place from which to resume.",
        query=FeedQuery,
        answer="text/event-stream",
        problems={503: "Too many streams are open."},
    ),
)
