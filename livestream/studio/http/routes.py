"""A route as a value: what the server serves and what the OpenAPI document says come from the same place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec
from aiohttp import web

from livestream.studio.auth.base import Scope
from livestream.studio.http.problems import ProblemError

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")

BODY_S: Final = 30.0
"""The longest that a small body may take to come: who sends slowly holds a handler."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes:
        path: As aiohttp has it: ``/api/experiments/{id}``. A placeholder is a whole number unless in ``texts``.
        scope: What the caller needs; None: anybody, also without a token.
        query: A struct whose fields are the parameters of the query; None: there are none.
        body: The type of the JSON body; None: there is none.
        answer: The type of the JSON of a 200; a text: another media type.
        problems: Statuses that can come, and when, beside those of every route.
        listed: In the OpenAPI document; pages for browsers are not.
        texts: Placeholders that are not whole numbers.
    """

    method: Literal["GET", "POST", "DELETE", "PUT"]
    path: str
    handler: Handler
    summary: str
    scope: Scope | None = "read"
    query: type[msgspec.Struct] | None = None
    body: object | None = None
    answer: object | None = None
    problems: Mapping[int, str] = {}
    listed: bool = True
    texts: tuple[str, ...] = ()


def query_of(request: web.Request, shape: type[T]) -> T:
    """Read the query into a struct; a field of a tuple type takes a parameter that comes several times.

    Raises:
        ProblemError: 400 with the name of the parameter.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}  # type: ignore[arg-type]
    given: dict[str, object] = {}
    for name in request.query:
        if name not in fields:
            raise ProblemError(400, f"query.{name}: unknown; accepted: {', '.join(sorted(fields)) or 'none'}")
        values = request.query.getall(name)
        is_list = "tuple[" in str(fields[name].type)  # also inside Annotated
        if not is_list and len(values) > 1:
            raise ProblemError(400, f"query.{name}: given {len(values)} times; accepted: once")
        given[name] = tuple(values) if is_list else values[0]
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(400, f"query: {error}") from None


async def body_of(request: web.Request, shape: type[T], max_bytes: int = 64 * 1024) -> T:
    """Read a small JSON body.

    Raises:
        ProblemError: 400 with the path of the bad field, 408, 413, or 415.
    """
    if request.content_type != "application/json":
        raise ProblemError(415, f"Content-Type: {request.content_type}; accepted: application/json")
    content = await content_of(request, max_bytes)
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        raise ProblemError(400, f"body: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(400, f"body: not JSON: {error}") from None
    except RecursionError:
        raise ProblemError(400, "body: nested too deep") from None


async def content_of(request: web.Request, max_bytes: int) -> bytes:
    """Read the bytes of a small body.

    Raises:
        ProblemError: 400: it is cut, or not encoded as its headers say; 408: it does not come; 413: it is too large.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.content.iter_any():
                content += piece
                if len(content) > max_bytes:
                    raise ProblemError(413, f"body: more than {max_bytes} bytes")
    except web.RequestPayloadError as error:
        raise ProblemError(400, f"body: cut, or not encoded as its headers say: {error}") from None
    except TimeoutError:
        raise ProblemError(408, f"body: did not come within {BODY_S:g} s") from None
    return bytes(content)


def id_of(request: web.Request, name: str = "id") -> int:
    """Read a whole number from the path.

    Raises:
        ProblemError: 404: nothing has such an id.
    """
    text = request.match_info[name]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise ProblemError(404, f"{name}: not a whole number")
    return int(text)
