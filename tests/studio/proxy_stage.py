"""A reverse proxy with a path prefix before a Studio, as nginx is one; it can hold streams back and lose its Studio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

PREFIX: Final = "/studio"
_HOP_BY_HOP: Final = {"host", "content-length", "transfer-encoding", "connection", "keep-alive"}


class Proxy:
    """Takes a prefix off and passes on.

    Attributes:
        how: ``whole``: also streams; ``swallowing``: streams are held back, as where a proxy buffers; ``down``: 502.
        asked: Paths with their queries that came.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.target = ""
        self.url = ""
        self.how: Literal["whole", "swallowing", "down"] = "whole"
        self.asked: list[str] = []
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        self._streams: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        if self.how == "down" or not request.path.startswith(f"{self.prefix}/"):
            return web.Response(status=502 if self.how == "down" else 404)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers["X-Forwarded-For"] = request.remote or ""
        async with self._session.request(
            request.method,
            self.target + request.raw_path.removeprefix(self.prefix),
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            if answer.content_type != "text/event-stream":
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
            response = web.StreamResponse(headers=kept)
            if self.how == "whole":
                await response.prepare(request)
            stream = asyncio.ensure_future(self._pass_on(answer, response))
            self._streams.add(stream)
            try:
                await stream
            except (asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
                if not stream.cancelled() and not stream.done():
                    stream.cancel()
            finally:
                self._streams.discard(stream)
            return response

    async def _pass_on(self, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        async for part in answer.content.iter_any():
            if self.how == "whole":
                await response.write(part)

    def go_down(self) -> None:
        """Answer 502 from now on, and cut the streams that are open."""
        self.how = "down"
        for stream in self._streams:
            stream.cancel()

    async def close(self) -> None:
        self.go_down()
        await self._session.close()


@asynccontextmanager
async def proxied(prefix: str = PREFIX) -> AsyncIterator[Proxy]:
    """Serve a proxy on a free port; its ``target`` is told later."""
    proxy = Proxy(prefix)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    server = TestServer(app)
    await server.start_server()
    proxy.url = str(server.make_url(prefix))
    try:
        yield proxy
    finally:
        await proxy.close()
        await server.close()
