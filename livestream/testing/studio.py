"""`FakeStudio`: a Studio on loopback for tests, which remembers what came and fails as it is told to."""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Literal, Self

import msgspec
import orjson
from aiohttp import web

from livestream.events import Json, JsonObject
from livestream.pipeline.chunk import Limits
from livestream.testing.beats import hear
from livestream.testing.inspection import HARD_LIMIT_BYTES, House, Inspection, Received, inspect, token_of
from livestream.testing.ledger import Entry, Ledger, now
from livestream.testing.script import Answer, Predicate, Rule, Script
from livestream.testing.server import Stopped, ThreadedServer, break_connection

LIVE_PATH = "/api/live"
CAPABILITIES_PATH = "/api/live/capabilities"
BEATS_PATH = "/api/live/beats"
DEFAULT_TOKEN = "isat_fake_studio_token"  # noqa: S105 - opens nothing but a test's own server
LARGE_IMAGE_CHARS = 1_000_000  # of base64; the entries of the ledger hold larger ones only as a word about them
_SLICES_PER_S = 20  # reads a second under a bandwidth limit
_JSON = {"Content-Type": "application/json"}


class FakeStudio:
    """A real HTTP server that stands in for a Studio.

    ::

        with FakeStudio(token="isat_x") as studio:
            studio.script(Answer.error(503), Answer.lost())  # the next two requests
            train(url=studio.url, token="isat_x")
            studio.ledger.wait_for(lambda ledger: ledger.experiment("run").status == "done")
        assert studio.ledger.violations == []
        assert studio.ledger.experiment("run").values("train/loss") == [(0, 0.9), (1, 0.4)]

    `stop` is an outage: connections are reset, then refused, until `start`; the ledger and the port stay.

    Attributes:
        ledger: What arrived.
        tokens: The tokens that are accepted; change it to revoke one.
        bandwidth: Bytes a second of all requests together, or ``None``; set before `start` it also keeps the kernel's
            buffers small, so that the client feels it.
        check_order: Refuse data before start, and data or done after done.
        capabilities: What ``GET api/live/capabilities`` answers; ``None`` (the stock profile) is a 404.
    """

    def __init__(  # noqa: PLR0913 - each argument is one thing that a test says of its Studio
        self,
        profile: Literal["stock", "livestream"] = "stock",
        token: str = DEFAULT_TOKEN,
        *,
        port: int = 0,
        bandwidth: float | None = None,
        keep_payloads: bool = True,
        limits: Limits | None = None,
        hard_limit_bytes: int = HARD_LIMIT_BYTES,
        heartbeat_s: float | None = None,
    ) -> None:
        """Prepare a Studio; ``with`` or `start` makes it answer.

        Args:
            profile: ``stock``: the hosted Studio. ``livestream``: one that speaks our extension.
            token: The first accepted token.
            port: 0 takes a free one.
            bandwidth: Bytes a second.
            keep_payloads: ``False`` keeps counts and digests only, for benchmarks.
            limits: What clients have to keep to, and what the livestream profile advertises.
            hard_limit_bytes: A request of more is answered 413, which breaks no rule.
            heartbeat_s: The livestream profile asks for heartbeats, so many seconds apart; ``None`` wants none.
        """
        self.ledger = Ledger(keep_payloads=keep_payloads)
        self.tokens = {token}
        self.check_order = True
        self.capabilities = _capabilities(limits or Limits(), heartbeat_s) if profile == "livestream" else None
        self._limits = limits or Limits()
        self._hard_limit_bytes = hard_limit_bytes
        self._script = Script()
        self._probe_script = Script()
        self._beat_script = Script()
        self._server = ThreadedServer(self._handle, port)
        self.bandwidth = bandwidth

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FakeStudio({self.url}, {'up' if self.running else 'down'}, {len(self.ledger.requests)} requests)"

    @property
    def url(self) -> str:
        """The base URL, the same over restarts."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The TCP port, the same over restarts."""
        return self._server.port

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._server.running

    @property
    def bandwidth(self) -> float | None:
        """Bytes a second of all requests together."""
        return self._server.bytes_per_s

    @bandwidth.setter
    def bandwidth(self, bytes_per_s: float | None) -> None:
        self._server.bytes_per_s = bytes_per_s

    @property
    def scripted(self) -> int:
        """Scripted answers that no request has met yet."""
        return len(self._script)

    def start(self) -> None:
        """Begin, or end an outage."""
        self._server.start()

    def stop(self) -> None:
        """Begin an outage: all connections are reset, later ones refused."""
        self._server.stop()

    def close(self) -> None:
        """Stop for good, and give the port back; the ledger stays readable."""
        self._server.close()

    def script(self, *answers: Answer) -> None:
        """Queue answers for the next posts, one each; they go before rules and before what a post deserves."""
        self._script.queue(*answers)

    def script_capabilities(self, *answers: Answer) -> None:
        """Queue answers for the next capabilities requests."""
        self._probe_script.queue(*answers)

    def script_beats(self, *answers: Answer) -> None:
        """Queue answers for the next requests of heartbeats."""
        self._beat_script.queue(*answers)

    def rule(self, predicate: Predicate, answer: Answer) -> Rule:
        """Answer every post that ``predicate(body, headers)`` picks with ``answer``, until ``rule.remove()``.

        Raises:
            ValueError: The answer breaks the connection before the body is read, so the predicate could not see it.
        """
        rule = Rule(predicate, answer)
        self._script.add(rule)
        return rule

    def clear_script(self) -> None:
        """Forget scripted answers and rules."""
        self._script.clear()
        self._probe_script.clear()
        self._beat_script.clear()

    # The server's side.

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if request.path == LIVE_PATH and request.method == "POST":
                return await self._live(request)
            if request.path == BEATS_PATH and request.method == "POST":
                return await self._beats(request)
            return await self._other(request)
        except Stopped:
            _break(request, reset=True)
        except ConnectionError:
            self.ledger.abandon()
        return web.Response()  # nobody hears it: the connection is gone

    async def _other(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._receive(request)
        is_probe = request.path == CAPABILITIES_PATH and request.method == "GET"
        scripted = self._probe_script.take() if is_probe else None
        if not is_probe:
            answer = Answer.error(405 if request.path == LIVE_PATH else 404, "Not found.")
        elif token_of(_headers(request)) not in self.tokens:
            answer = Answer.error(401, "Invalid token.")
        elif self.capabilities is None:
            answer = Answer.error(404, "Not found.")
        else:
            answer = Answer(status=200, headers=_JSON, body=orjson.dumps(self.capabilities))
        if scripted is not None:
            answer = _merge(scripted, answer)
        self.ledger.add_other(self._entry(request, status=None if answer.break_at else answer.status))
        return await self._answer(request, answer)

    async def _live(self, request: web.BaseRequest) -> web.StreamResponse:
        scripted = self._script.take()
        if scripted is not None and scripted.break_at in ("before_body", "mid_body"):
            if scripted.break_at == "mid_body":
                await self._receive(request, half=True)
            self.ledger.add(self._entry(request, status=None), None, {})
            return await self._answer(request, scripted)
        received = await self._receive(request)
        found = inspect(received, self._house(), self.ledger)
        deserved = self._deserved(found)
        if scripted is None and found.body is not None and found.sound:
            scripted = self._script.rule_for(found.body, received.headers)
        answer = deserved if scripted is None else _merge(scripted, deserved)
        self._book(request, received, found, answer)
        return await self._answer(request, answer)

    async def _beats(self, request: web.BaseRequest) -> web.StreamResponse:
        received = await self._receive(request)
        said = self.capabilities or {}
        entry = self._entry(request, status=None)
        found, beats = hear(received, self._house(), entry.token_digest, wanted=bool(said.get("heartbeats")))
        answer = Answer.error(found.status, found.detail)
        if found.sound:
            answer = Answer(status=200, headers=_JSON, body=b"{}")
        scripted = self._beat_script.take()
        if scripted is not None:
            answer = _merge(scripted, answer)
        entry = msgspec.structs.replace(
            entry,
            status=None if answer.break_at else answer.status,
            problems=tuple(found.problems),
            size=found.size,
            wire_size=received.wire_size,
        )
        self.ledger.add_other(entry, beats if answer.status == 200 and answer.ingest is not False else ())
        return await self._answer(request, answer)

    def _house(self) -> House:
        return House(
            tokens=frozenset(self.tokens),
            limits=self._limits,
            hard_limit_bytes=self._hard_limit_bytes,
            speaks_livestream=self.capabilities is not None,
            check_order=self.check_order,
        )

    def _deserved(self, found: Inspection) -> Answer:
        if not found.sound:
            return Answer.error(found.status, found.detail)
        known = found.repeat and found.update is not None
        return Answer(status=200, headers=_JSON, body=b"{}", ingest=not known)

    def _book(self, request: web.BaseRequest, received: Received, found: Inspection, answer: Answer) -> None:
        wanted = answer.ingest if answer.ingest is not None else answer.status == 200
        known = found.repeat and found.update is not None
        fields = {name: getattr(found, name) for name in _COPIED}
        entry = msgspec.structs.replace(
            self._entry(request, status=None if answer.break_at else answer.status),
            ingested=wanted and found.sound and not known,
            problems=tuple(found.problems),
            wire_size=received.wire_size,
            body=_kept(found.body) if self.ledger.keep_payloads else None,
            **fields,
        )
        self.ledger.add(entry, found.body, found.images)

    def _entry(self, request: web.BaseRequest, status: int | None) -> Entry:
        headers = _headers(request)
        token = token_of(headers)
        return Entry(
            number=self.ledger.next_number(),
            time=now(),
            method=request.method,
            path=request.path,
            headers={name: value for name, value in headers.items() if name != "authorization"},
            token_digest=hashlib.sha256(token.encode()).hexdigest()[:12] if token else "",
            status=status,
        )

    async def _receive(self, request: web.BaseRequest, *, half: bool = False) -> Received:
        pieces: list[bytes] = []
        size, limit = 0, self._hard_limit_bytes
        enough = (request.content_length or 2) // 2 if half else None
        while enough is None or size < enough:
            piece = await self._read_piece(request)
            if not piece:
                break
            size += len(piece)
            if size <= limit:
                pieces.append(piece)
            await self._server.transfer(len(piece))
        return Received(_headers(request), b"".join(pieces) if size <= limit else None, size)

    async def _read_piece(self, request: web.BaseRequest) -> bytes:
        if self.bandwidth:
            return await request.content.read(max(1, int(self.bandwidth / _SLICES_PER_S)))
        return await request.content.readany()

    async def _answer(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        if answer.delay_s:
            await self._server.pause(answer.delay_s)
        response = web.Response(status=answer.status or 200, headers=answer.headers, body=answer.body)
        if answer.headers.get("Connection") == "close":
            response.force_close()
        if answer.break_at is None:
            return response
        if answer.break_at == "mid_answer" and request.transport is not None:
            head = f"HTTP/1.1 {response.status} OK\r\nContent-Type: application/json\r\nContent-Length: 64\r\n\r\n"
            request.transport.write(head.encode() + b'{"detail": "')
        if answer.break_by == "hang":
            await self._server.pause(None)
        _break(request, reset=answer.break_by == "reset" and answer.break_at != "mid_answer")
        return response


# What an entry takes over from its inspection as it is.
_COPIED = ("repeat", "kind", "experiment", "step", "rows", "size", "digest", "update", "repair")


def _capabilities(limits: Limits, heartbeat_s: float | None) -> JsonObject:
    rhythm = {} if heartbeat_s is None else {"heartbeat_s": heartbeat_s}
    return {
        "livestream": 1,
        "limits": {
            "max_request_bytes": limits.max_request_bytes,
            "max_plot_bytes": limits.max_plot_bytes,
            "max_plots": limits.max_plots,
        },
        "compression": ["gzip"],
        "image_history": True,
        "live_plots": True,
        "idempotency": True,
        "heartbeats": heartbeat_s is not None,
        **rhythm,
    }


def _headers(request: web.BaseRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _merge(scripted: Answer, deserved: Answer) -> Answer:
    """Fill in what the script left to the request."""
    if scripted.status is not None:
        return scripted
    return msgspec.structs.replace(
        scripted,
        status=deserved.status,
        headers={**deserved.headers, **scripted.headers},
        body=scripted.body or deserved.body,
        ingest=deserved.ingest if scripted.ingest is None else scripted.ingest,
    )


def _kept(body: JsonObject | None) -> JsonObject | None:
    """Give the body as the ledger keeps it: rows are shared with the experiment, large images are left out."""
    if body is None:
        return None
    plots = body.get("plots")
    if not isinstance(plots, dict):
        return body
    return {**body, "plots": {path: _kept_plot(plot) for path, plot in plots.items()}}


def _kept_plot(plot: Json) -> Json:
    image = plot.get("image") if isinstance(plot, dict) else None
    if isinstance(image, str) and len(image) > LARGE_IMAGE_CHARS:
        return {**plot, "image": f"({len(image)} characters)"}
    return plot


def _break(request: web.BaseRequest, *, reset: bool) -> None:
    if request.transport is not None:
        break_connection(request.transport, reset=reset)
