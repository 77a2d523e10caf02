"""A real HTTP server in a thread of its own, which can fail at any moment in every way that sockets know.

It runs its own event loop, so that synchronous tests, asynchronous ones and whole subprocesses can talk to it alike.
The port stays reserved while the server is down: a second socket is bound to it and never listens, so that clients
meet "connection refused" during the outage, and no other process can take the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeAlias

from aiohttp import web

Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

LOOPBACK = "127.0.0.1"
_BACKLOG = 512  # connections; several clients reconnect at once after an outage
_READ_BUFFER_BYTES = 1 << 20  # few wake-ups for a body of 29 MB
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 10.0
_SLOW_BUFFER_BYTES = 32_768  # a slow link must not hide in buffers, which take megabytes at once
_LINGER_RESET = struct.pack("ii", 1, 0)


class Stopped(Exception):  # noqa: N818 - it is an order, not an error
    """The server stops: the handler that sees it leaves its connection to be aborted."""


class ThreadedServer:
    """Serves ``handler`` on loopback between `start` and `stop`, as often as wanted, always on one port.

    Attributes:
        port: The TCP port; known from construction on.
    """

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._placeholder = bind_loopback(port)
        self.port: int = self._placeholder.getsockname()[1]
        self.bytes_per_s: float | None = None
        self._link_free_at = 0.0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._thread is not None

    def start(self) -> None:
        """Listen. A server that runs already stays as it is.

        Raises:
            OSError: The port cannot be listened on.
        """
        if self._thread is not None:
            return
        ready: Future[None] = Future()
        thread = threading.Thread(target=self._run, args=(ready,), name="fake-studio", daemon=True)
        thread.start()
        try:
            ready.result(_START_TIMEOUT_S)
        except OSError:
            thread.join()
            raise
        self._thread = thread

    def stop(self) -> None:
        """Stop as a crash does: every connection is reset, whatever it is doing."""
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_TIMEOUT_S)
        if self._thread.is_alive():
            raise TimeoutError(f"the fake Studio did not stop within {_STOP_TIMEOUT_S} s")
        self._thread = self._loop = None

    def close(self) -> None:
        """Stop, and give the port back."""
        self.stop()
        self._placeholder.close()

    # What follows is for handlers, on the server's loop.

    async def pause(self, delay_s: float | None) -> None:
        """Wait; ``None`` waits until the server stops.

        Raises:
            Stopped: The server stops.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s)
            raise Stopped

    async def transfer(self, size: int) -> None:
        """Let ``size`` bytes pass the link, which all connections share: it takes as long as the bandwidth asks.

        Raises:
            Stopped: The server stops.
        """
        if not self.bytes_per_s:
            return
        now = time.monotonic()
        self._link_free_at = max(now, self._link_free_at) + size / self.bytes_per_s
        await self.pause(self._link_free_at - now)

    def _run(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except OSError as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, ready: Future[None]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        buffered = _SLOW_BUFFER_BYTES if self.bytes_per_s else _READ_BUFFER_BYTES
        requests = web.Server(self._handler, access_log=None, auto_decompress=False, read_bufsize=buffered)
        listener = bind_loopback(self.port)
        if self.bytes_per_s:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER_BYTES)
        try:
            server = await loop.create_server(requests, sock=listener, backlog=_BACKLOG)
        except OSError:
            listener.close()
            raise
        ready.set_result(None)
        await self._stopping.wait()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # else a forked child that inherited it would go on listening
        server.close()
        for connection in requests.connections:
            if connection.transport is not None:
                break_connection(connection.transport, reset=True)
        await requests.shutdown(timeout=1.0)
        await server.wait_closed()


def break_connection(transport: asyncio.BaseTransport, *, reset: bool) -> None:
    """End a connection at once, with RST or with FIN."""
    if reset:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            _linger_to_reset(sock)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
            return
    transport.close()


def reset(sock: socket.socket) -> None:
    """Close a socket with RST; one that is closed stays so."""
    _linger_to_reset(sock)
    sock.close()


def _linger_to_reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client was faster, or it is closed
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)


def bind_loopback(port: int) -> socket.socket:
    """Take a port on loopback, 0 a free one, without listening; two sockets of ours can hold one port so.

    Raises:
        OSError: Another process has it.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    return sock
