"""Answers that are long come compressed to who accepts that: JSON of the read API, and static files.

zlib lets other threads run while it works, and so it has a thread to work in: a table of 1,500 runs is 10 MB. Level 1
takes a third of the time of the usual one and leaves hardly more. What flows, the feed and exports, is left alone.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

MIN_BYTES: Final = 8 * 1024
LEVEL: Final = 1
_GZIP_BITS: Final = 31
_REFUSED: Final = re.compile(r"q=0(\.0{0,3})?")


def accepts_gzip(request: web.Request) -> bool:
    """Whether the client says that it takes gzip."""
    for word in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(","):
        coding, _, quality = word.partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return not _REFUSED.fullmatch(quality.strip())
    return False


def gzipped(content: bytes, level: int = LEVEL) -> bytes:
    """Compress."""
    return zlib.compress(content, level, _GZIP_BITS)


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress the JSON of an answer, off the event loop."""
    response = await handler(request)
    if not isinstance(response, web.Response) or response.content_type != "application/json":
        return response
    content = response.body
    if not isinstance(content, bytes) or len(content) < MIN_BYTES:
        return response
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    if accepts_gzip(request):
        response.body = await asyncio.to_thread(gzipped, content)
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response
