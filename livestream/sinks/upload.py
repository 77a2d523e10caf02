"""A request's payload that tells when it makes progress, and whose connection can be torn down when it makes none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractStreamWriter

SLICE_BYTES = 65_536  # some three of them are under way at a time: in 60 s of silence, a line of 4 KB/s moves them
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for 0 s: the kernel forgets unsent bytes and sends RST


class Upload(aiohttp.Payload):
    """Hands a body to the transport in slices, each as soon as there is room for it.

    Attributes:
        taken: Whether the transport has had all of it.
    """

    def __init__(self, content: bytes, on_progress: Callable[[], None]) -> None:
        super().__init__(content, content_type="application/json")
        self._size = len(content)
        self._on_progress = on_progress
        self._transport: asyncio.WriteTransport | None = None
        self.taken = not content

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Give the content as text, as every payload of aiohttp can."""
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write slice by slice. The writer waits where the transport is full, so each turn means that bytes moved."""
        self._transport = getattr(writer, "transport", None)
        view = memoryview(self._value)
        for start in range(0, len(view), SLICE_BYTES):
            self._on_progress()
            self.taken = start + SLICE_BYTES >= len(view)
            await writer.write(view[start : start + SLICE_BYTES])

    def abort(self) -> None:
        """Drop the connection with what is still in its buffer.

        Closing it would wait until a server that has fallen silent takes those bytes, and hold a descriptor meanwhile.
        """
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()


def open_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket whose kernel buffer holds little that is unsent, so that a full transport means a slow line.

    Without that option the kernel takes megabytes at once, which looks like progress; then minutes of silence follow
    while a slow line empties its buffer.
    """
    family, kind, protocol, _, _ = info
    sock = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, SLICE_BYTES)
    return sock
