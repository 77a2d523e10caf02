"""``POST /api/live``: what every client posts to, and our daemon's ``capabilities`` and ``beats`` beside it.

An answer of 200 means that the update is safe: committed, or, if it is large, in the log of large bodies. Everything
else is a status and a detail by which the client's user knows what to do.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import msgspec
from aiohttp import hdrs, web

from livestream.events import JsonObject, Problem
from livestream.studio.auth.base import Caller
from livestream.studio.http.context import Services, caller_of, services_of
from livestream.studio.http.problems import ProblemError, json_response
from livestream.studio.http.routes import Route
from livestream.studio.ingest.ingest import Envelope, StoppedError
from livestream.studio.ingest.intake import BodyTooLargeError, Intake
from livestream.studio.ingest.log import Part
from livestream.studio.repositories import shows
from livestream.studio.store.base import Project, Reader, Scope
from livestream.studio.store.errors import StoreError, StoreFullError
from livestream.studio.update import Identity, Kind
from livestream.studio.wire.beats import BeatsBody, decode_beats
from livestream.studio.wire.body import decode
from livestream.studio.wire.fields import WireError
from livestream.studio.wire.headers import parse

MAX_BEATS_BYTES: Final = 4 * 1024 * 1024
FULL_RETRY_S: Final = 30
"""After a full disk: somebody has to make room first."""
TROUBLE_RETRY_S: Final = 5

_JSON_TYPES: Final = frozenset({"application/json", "text/json"})
_IDENTITY_ENCODINGS: Final = frozenset({"", "identity"})
_GZIP_ENCODINGS: Final = frozenset({"gzip", "x-gzip"})
_logger: Final = logging.getLogger(__name__)


# -- bodies and answers, for the OpenAPI document


class MetricsFile(msgspec.Struct, frozen=True):
    """Metrics of one file: all of it, each time."""

    data: JsonObject = {}
    error: Problem | None = None


class PlotBody(msgspec.Struct, frozen=True):
    """A plot: rows (``data``), or an image in base64."""

    data: list[JsonObject] = []
    image: str = ""
    props: JsonObject = {}
    error: Problem | None = None


_Sha = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{40}$")]


class LiveBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of ``POST /api/live``; unknown fields are kept."""

    type: Kind
    repo_url: str
    baseline_sha: _Sha
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    client: str = ""
    step: int = 0
    message: str = ""
    subdir: str = ""
    experiment_rev: _Sha = "0" * 40
    params: dict[str, JsonObject] = {}
    metrics: dict[str, MetricsFile] = {}
    plots: dict[str, PlotBody] = {}
    machine: JsonObject = {}
    env: JsonObject = {}
    errors: list[Problem] = []


class LiveAnswer(msgspec.Struct, frozen=True):
    """The update is safe; ``experiment`` is null while it waits in the log of large bodies."""

    experiment: int | None


class Sizes(msgspec.Struct, frozen=True):
    """What a request may hold."""

    max_request_bytes: int
    max_plot_bytes: int
    max_plots: int


class CapabilitiesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What this Studio takes beyond the stock wire (``docs/wire.md``)."""

    livestream: int = 1
    limits: Sizes
    compression: tuple[str, ...] = ("gzip",)
    image_history: bool = True
    live_plots: bool = True
    idempotency: bool = True
    heartbeats: bool = True
    heartbeat_s: int


class BeatsAnswer(msgspec.Struct, frozen=True):
    """How many beats came."""

    beats: int


# -- handlers


async def post_live(request: web.Request) -> web.StreamResponse:
    """Take one update."""
    services, caller = services_of(request), caller_of(request)
    with _problems():
        extension = parse(request.headers)
        async with _receive(request, services) as intake:
            body = await _read(request, intake, services)
            envelope = Envelope(received_us=services.clock_us(), extension=extension, token=caller.token)
            if isinstance(body, Part):
                await _log_large(services, caller, body, envelope)
                experiment = None
            else:
                update = decode(body)
                await _check_project(services, caller, update.identity, update.subdir)
                who = update.identity
                if services.ingest.applying(who.repository, who.baseline_sha, who.name):
                    _check_room(services, is_large=True)  # it goes behind large bodies, into the log
                experiment = await services.ingest.take(update, body, envelope)
    return json_response(LiveAnswer(experiment))


async def get_capabilities(request: web.Request) -> web.StreamResponse:
    """Say what this Studio takes."""
    settings = services_of(request).settings
    limits = settings.limits
    sizes = Sizes(limits.max_request_bytes, limits.max_plot_bytes, limits.max_plots)
    return json_response(CapabilitiesAnswer(limits=sizes, heartbeat_s=settings.bounds.heartbeat_s))


async def post_beats(request: web.Request) -> web.StreamResponse:
    """Take a node's heartbeats."""
    services, caller = services_of(request), caller_of(request)
    with _problems():
        async with _receive(request, services, max_bytes=MAX_BEATS_BYTES) as intake:
            body = await _read(request, intake, services)
        if isinstance(body, Part):
            raise BodyTooLargeError
        beats = decode_beats(body, services.clock_us())
        for identity in {beat.identity for beat in beats} if caller.project is not None else ():
            await _check_project(services, caller, identity, None)
        if beats:
            await services.ingest.beat(beats)
    return json_response(BeatsAnswer(len(beats)))


# -- the way of a body


def _receive(request: web.Request, services: Services, max_bytes: int | None = None) -> Intake:
    """Check what the headers say of a body, and prepare for it."""
    if request.content_type not in _JSON_TYPES and hdrs.CONTENT_TYPE in request.headers:
        raise ProblemError(415, f"Content-Type: {request.content_type[:200]}; accepted: application/json")
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if encoding not in _IDENTITY_ENCODINGS | _GZIP_ENCODINGS:
        raise ProblemError(415, f"Content-Encoding: {encoding[:200]}; accepted: gzip, or none")
    limits = services.settings.limits
    length = request.content_length or 0
    if length > (max_bytes or limits.max_request_bytes):
        raise BodyTooLargeError
    _check_room(services, is_large=max_bytes is None and length > limits.large_bytes)
    return services.ingest.intake(packed=encoding in _GZIP_ENCODINGS, max_bytes=max_bytes)


async def _read(request: web.Request, intake: Intake, services: Services) -> bytes | Part:
    """Take the body in as it comes."""
    limits = services.settings.limits
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            if (request.content_length or 0) > limits.large_bytes:
                await intake.reserve()
            async for content in request.content.iter_any():
                services.counters.body_bytes += len(content)
                await intake.take(content)
            return await intake.end()
    except web.RequestPayloadError as error:
        raise WireError("body", f"cut, or not encoded as its headers say: {error}") from None
    except TimeoutError:
        raise ProblemError(408, f"body: did not come within {limits.body_timeout_s:g} s") from None


async def _log_large(services: Services, caller: Caller, part: Part, envelope: Envelope) -> None:
    _check_room(services, is_large=True)
    found = await services.ingest.survey(part)
    await _check_project(services, caller, found.update.identity, found.update.subdir)
    await services.ingest.log(part, found, envelope)


def _check_room(services: Services, *, is_large: bool) -> None:
    wait_s = services.ingest.overloaded(large=is_large)
    if wait_s is not None:
        raise _later("too much waits to be stored", math.ceil(wait_s))


async def _check_project(services: Services, caller: Caller, identity: Identity, subdir: str | None) -> None:
    """Refuse what is not of the project that a token is limited to.

    Only a start says its folder, and could say another one: the folder that the experiment is known to be in counts.
    """
    limit = caller.project
    if limit is None:
        return
    project, folders = await services.readers.ask(lambda reader: _look_up(reader, limit, identity))
    if project is None:
        raise ProblemError(403, f"the project that the token {caller.name!r} is limited to is gone")
    folders += [subdir] if subdir is not None else []
    if project.repository != identity.repository or not all(shows(project.subdir, folder) for folder in folders):
        raise ProblemError(403, f"repo_url: the token {caller.name!r} is limited to the project {project.name!r}")


def _look_up(reader: Reader, limit: int, identity: Identity) -> tuple[Project | None, list[str]]:
    """Read a project and, where it is of a folder, the folder of an experiment that is there."""
    project = next((project for project in reader.projects() if project.id == limit), None)
    if project is None or not project.subdir:
        return project, []
    scope = Scope(repository=identity.repository, baseline_shas=(identity.baseline_sha,), names=(identity.name,))
    deleted = msgspec.structs.replace(scope, deleted=True)
    return project, [brief.subdir for one in (scope, deleted) for brief in reader.briefs(one)]


# -- what can go wrong


@contextmanager
def _problems() -> Iterator[None]:
    """Answer what is wrong with a request, or with us."""
    try:
        yield
    except WireError as error:
        raise ProblemError(400, str(error)) from None
    except BodyTooLargeError:
        raise ProblemError(413, "body: larger than this Studio takes; api/live/capabilities says its limits") from None
    except StoppedError:
        raise _later("this Studio is going down", TROUBLE_RETRY_S) from None
    except StoreFullError:
        raise _later("the disk of this Studio is full", FULL_RETRY_S) from None
    except StoreError as error:
        _logger.exception("livestream.studio_store_failed", extra={"error": type(error).__name__})
        raise _later("this Studio cannot store anything now", TROUBLE_RETRY_S) from None
    except ConnectionError:
        raise  # the client is gone
    except OSError as error:
        _logger.warning("livestream.studio_log_failed", extra={"error": error.strerror or type(error).__name__})
        raise _later("this Studio cannot write its log of large bodies", FULL_RETRY_S) from None


def _later(reason: str, wait_s: int) -> ProblemError:
    return ProblemError(503, f"{reason}: come again in {wait_s} s", {hdrs.RETRY_AFTER: str(wait_s)})


_POST_PROBLEMS: Final = {
    400: "A field is wrong; the detail begins with its path.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    415: "The body is no JSON, or packed in an unknown way.",
    503: "There is no room now; Retry-After says when to come again.",
}

ROUTES: Final = (
    Route(
        method="POST",
        path="/api/live",
        handler=post_live,
        summary="Post an update of an experiment; 200 means that it is safe.",
        scope="ingest",
        body=LiveBody,
        answer=LiveAnswer,
        problems=_POST_PROBLEMS,
    ),
    Route(
        method="GET",
        path="/api/live/capabilities",
        handler=get_capabilities,
        summary="What this Studio takes beyond the stock wire.",
        scope="ingest",
        answer=CapabilitiesAnswer,
    ),
    Route(
        method="POST",
        path="/api/live/beats",
        handler=post_beats,
        summary="Tell that writers live, and what waits on their node.",
        scope="ingest",
        body=BeatsBody,
        answer=BeatsAnswer,
        problems=_POST_PROBLEMS,
    ),
    Route(
        method="POST", path="/api/live/", handler=post_live, summary="As without slash.", scope="ingest", listed=False
    ),
)
