"""`StudioSink` carries bodies to a Studio over HTTP, and turns all that can happen on the way into an `Outcome`.

What it guards, beyond sending:

* The token goes to the target's host only: no redirect is followed, no netrc read, no cookie kept; and where a server
  repeats the token in its answer, it is struck out before anybody reads that.
* A kept-alive connection may have been closed by the server just as it was used again. HTTP clients do not repeat a
  POST then; we do, once, at once, and over a new connection, because delivery is at least once anyway.
* A large body on a slow line may take minutes, a dead server may swallow nothing for ever. So there is no limit on the
  whole, but one on silence: each slice that the server takes, and its whole answer, has to come within ``silence_s``.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
import msgspec
from yarl import URL

from livestream.pipeline.chunk import Limits
from livestream.pipeline.decide import Outcome, Throttled, Unauthorized, Unavailable, classify
from livestream.pipeline.update import Profile
from livestream.sinks.base import HEARTBEAT_S, Capabilities, Request, Target
from livestream.sinks.failures import describe
from livestream.sinks.network import CA_VARIABLES, NOT_ASKED, SettingError, address_of, authorities, proxy_for
from livestream.sinks.upload import Upload, open_socket

MAX_ANSWER_BYTES = 65_536  # a Studio answers in one line; an error page needs no more to be known as one
MIN_LIMIT_BYTES = 1_024  # a Studio that advertises less is mistaken, and would make everything a dead letter
MIN_HEARTBEAT_S, MAX_HEARTBEAT_S = 1.0, 300.0  # a Studio that asks for others is mistaken, and would cost the node
_KEEP_ALIVE_S = 55.0  # below the 60 s after which common servers and balancers close
_DNS_CACHE_S = 60
_GZIP_LEVEL = 1  # JSON shrinks to a fifth at once; level 6 costs three times as much for a tenth less
_GZIP_MIN_BYTES = 1_024  # below, headers outweigh what it saves
_THREAD_MIN_BYTES = 65_536  # compressing less is quicker than handing it to a thread


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait: for a connection (DNS and TLS included), and for any sign of progress after it."""

    connect_s: float = 10.0
    silence_s: float = 60.0


class _Advertised(msgspec.Struct):
    """The JSON of ``GET api/live/capabilities``. Limits too small to be meant are no livestream Studio's."""

    class Sizes(msgspec.Struct):
        max_request_bytes: int = Limits().max_request_bytes
        max_plot_bytes: int = Limits().max_plot_bytes
        max_plots: int = Limits().max_plots

    livestream: int
    limits: Sizes = msgspec.field(default_factory=Sizes)
    compression: list[str] = []
    image_history: bool = False
    live_plots: bool = False
    idempotency: bool = False
    heartbeats: bool = False
    heartbeat_s: float = HEARTBEAT_S


class _Call(msgspec.Struct, frozen=True):
    method: str
    address: URL
    headers: Mapping[str, str]
    payload: bytes


class _Reply(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


class StudioSink:
    """Sends to Studios over HTTP/1.1 with keep-alive; one for all Studios and experiments of a process."""

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        user_agent: str = "livestream",
    ) -> None:
        """Prepare a sink; connections are opened when they are needed.

        Args:
            timeouts: How long to wait.
            environ: Where the proxy and certificate variables are read, at each request.
            clock: Seconds since the epoch, for a ``Retry-After`` that is a date.
            user_agent: What servers' logs show.
        """
        self._timeouts = timeouts or Timeouts()
        self._environ = environ
        self._clock = clock
        self._user_agent = user_agent
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._trust: tuple[tuple[str | None, ...], ssl.SSLContext] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. The sink can be used again, and then opens new ones."""
        sessions, self._kept, self._fresh = (self._kept, self._fresh), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    async def send(self, target: Target, request: Request) -> Outcome:
        """Post one body to the target's ``api/live`` and say what came of it; see `Sink`."""
        address = address_of(target)
        return await self._post(target, address, request) if isinstance(address, URL) else address

    async def beat(self, target: Target, request: Request) -> Outcome:
        """Post one body of heartbeats to the target's ``api/live/beats``; see `Sink`."""
        address = address_of(target)
        return await self._post(target, address / "beats", request) if isinstance(address, URL) else address

    async def capabilities(self, target: Target) -> Capabilities | Outcome:
        """Ask what the Studio takes.

        Returns:
            The stock profile where the Studio does not know the question, whatever it says instead (the hosted one
            answers 404; what is really wrong with an address shows in what it answers to a post). An `Outcome` where
            it did not answer, asked for patience, or refused the token with 401.
        """
        address = address_of(target)
        if not isinstance(address, URL):
            return address
        reply = await self._ask(target, _Call("GET", address / "capabilities", {}, b""))
        if not isinstance(reply, _Reply):
            return reply
        outcome = self._classify(reply)
        if isinstance(outcome, Unavailable | Throttled) or reply.status == 401:
            return outcome
        return _capabilities(reply.body) if reply.status == 200 else Capabilities()

    async def _post(self, target: Target, address: URL, request: Request) -> Outcome:
        payload, encoding = await _pack(request)
        headers = {**request.headers, **encoding, "Content-Type": "application/json"}
        reply = await self._ask(target, _Call("POST", address, headers, payload))
        return self._classify(reply) if isinstance(reply, _Reply) else reply

    def _classify(self, reply: _Reply) -> Outcome:
        return classify(reply.status, reply.headers, reply.body, now_epoch=self._clock())

    async def _ask(self, target: Target, call: _Call) -> _Reply | Outcome:
        token = target.token
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            return Unauthorized(NOT_ASKED, "the token is empty or holds characters that no token has; it was not sent")
        own = {"Authorization": f"token {token}", "User-Agent": self._user_agent, "Accept-Encoding": "identity"}
        signed = msgspec.structs.replace(call, headers={**call.headers, **own})
        reply = await self._attempt(signed, fresh=False)
        if isinstance(reply, Unavailable) and reply.stale_connection:
            reply = await self._attempt(signed, fresh=True)
        return _without(token, reply) if isinstance(reply, _Reply) else reply

    async def _attempt(self, call: _Call, *, fresh: bool) -> _Reply | Unavailable:
        server = f"{call.address.host}:{call.address.port}"
        wire = SimpleNamespace(reused=False)
        try:
            return await self._exchange(call, wire, fresh=fresh)
        except SettingError as error:
            return Unavailable(None, str(error))
        except aiohttp.ConnectionTimeoutError:
            return Unavailable(None, f"{server}: no connection within {self._timeouts.connect_s:g} s")
        except TimeoutError:
            return Unavailable(None, f"{server}: silent for {self._timeouts.silence_s:g} s")
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, ConnectionError) as error:
            return Unavailable(None, describe(error, server), stale_connection=wire.reused and not fresh)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host that IDNA refuses
            return Unavailable(None, describe(error, server))

    async def _exchange(self, call: _Call, wire: SimpleNamespace, *, fresh: bool) -> _Reply:
        proxy = proxy_for(call.address, self._environ)
        trust = await self._authorities() if call.address.scheme == "https" else True
        session = self._session(fresh=fresh)
        silence_s = self._timeouts.silence_s
        deadline = asyncio.timeout(self._timeouts.connect_s + silence_s)
        now = asyncio.get_running_loop().time
        wire.progress = lambda: deadline.reschedule(now() + silence_s)
        upload = Upload(call.payload, wire.progress)
        reply = None
        try:
            async with (
                deadline,
                session.request(
                    call.method,
                    call.address,
                    data=upload if call.payload else None,
                    headers=call.headers,
                    allow_redirects=False,
                    proxy=proxy,
                    ssl=trust,
                    trace_request_ctx=wire,
                ) as response,
            ):
                reply = _Reply(response.status, response.headers, await _read(response))
                if not upload.taken:
                    response.close()
        finally:
            if reply is None or not upload.taken:
                upload.abort()
        if reply.status == 200 and not upload.taken:
            # Whoever says yes to half a body did not look at it: a captive portal, say.
            raise aiohttp.ClientPayloadError
        return reply

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        session = self._fresh if fresh else self._kept
        if session is None:
            session = self._open(fresh=fresh)
            if fresh:
                self._fresh = session
            else:
                self._kept = session
        return session

    def _open(self, *, fresh: bool) -> aiohttp.ClientSession:
        options = {"force_close": True} if fresh else {"keepalive_timeout": _KEEP_ALIVE_S}
        connect_s = self._timeouts.connect_s
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_note_connection)
        trace.on_connection_reuseconn.append(_note_connection)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # whoever calls bounds what is in flight
                ttl_dns_cache=_DNS_CACHE_S,
                socket_factory=open_socket,
                **options,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s),
            trust_env=False,  # its proxies come with netrc's passwords, which would take the token's place
            trace_configs=[trace],
        )

    async def _authorities(self) -> ssl.SSLContext:
        named = tuple(self._environ.get(name) for name in CA_VARIABLES)
        if self._trust is None or self._trust[0] != named:
            self._trust = named, await asyncio.to_thread(authorities, self._environ)
        return self._trust[1]


async def _note_connection(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceConnectionCreateEndParams | aiohttp.TraceConnectionReuseconnParams,
) -> None:
    wire = context.trace_request_ctx
    wire.reused = isinstance(params, aiohttp.TraceConnectionReuseconnParams)
    wire.progress()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    pieces = []
    room = MAX_ANSWER_BYTES
    while room > 0 and (piece := await response.content.read(room)):
        pieces.append(piece)
        room -= len(piece)
    if room <= 0:
        response.close()  # the rest is of no interest, and draining it could take for ever
    return b"".join(pieces)


async def _pack(request: Request) -> tuple[bytes, Mapping[str, str]]:
    size = len(request.body)
    if not request.compress or size < _GZIP_MIN_BYTES:
        return request.body, {}
    if size < _THREAD_MIN_BYTES:
        packed = gzip.compress(request.body, _GZIP_LEVEL)
    else:
        packed = await asyncio.to_thread(gzip.compress, request.body, _GZIP_LEVEL)
    return packed, {"Content-Encoding": "gzip"}


def _without(token: str, reply: _Reply) -> _Reply:
    """Strike the token out of an answer: servers do repeat it ("Invalid token: ...")."""
    headers = {name: value.replace(token, "***") for name, value in reply.headers.items()}
    return _Reply(reply.status, headers, reply.body.replace(token.encode(), b"***"))


def _capabilities(body: bytes) -> Capabilities:
    try:
        said = msgspec.json.decode(body, type=_Advertised)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Capabilities()
    sizes = said.limits
    smallest = min(sizes.max_request_bytes, sizes.max_plot_bytes)
    if said.livestream < 1 or smallest < MIN_LIMIT_BYTES or sizes.max_plots < 1:
        return Capabilities()
    target = min(Limits().target_request_bytes, sizes.max_request_bytes)
    return Capabilities(
        limits=Limits(
            max_request_bytes=sizes.max_request_bytes,
            max_plot_bytes=sizes.max_plot_bytes,
            max_plots=sizes.max_plots,
            target_request_bytes=target,
        ),
        profile=Profile(image_history=said.image_history, live_plots=said.live_plots, idempotent=said.idempotency),
        compression=tuple(name for name in said.compression if name == "gzip"),
        heartbeats=said.heartbeats,
        heartbeat_s=min(MAX_HEARTBEAT_S, max(MIN_HEARTBEAT_S, said.heartbeat_s)),
        advertised=True,
    )
