"""The daemon's Unix socket: one JSON object a line in, one out; for this user only.

{"op": "ping"}                                     who serves this spool
{"op": "token", "url", "token", "fingerprint"}     a token for a URL, kept in memory
{"op": "wake"}                                     look at every queue now
{"op": "sync"}                                     send offline runs too, and try holds once more
{"op": "retry" | "drop", "ids": [...]}             dead letters
{"op": "stop"}                                     end as by SIGTERM
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from livestream.events import JsonObject
from livestream.spool.launch import runtime_folder

logger = logging.getLogger("livestream.daemon")

MAX_LINE_BYTES: Final = 1 << 20
ANSWER_WITHIN_S: Final = 10.0
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid

Handler = Callable[[JsonObject], Awaitable[JsonObject]]


def socket_path(spool: Path, environ: Mapping[str, str]) -> Path:
    """Give the socket's path: short whatever the spool's is (a Unix socket's path has 107 bytes at most)."""
    name = hashlib.sha256(os.path.realpath(spool).encode(errors="surrogateescape")).hexdigest()[:16]
    return runtime_folder(environ) / f"{name}.sock"


class ControlServer:
    """Answers requests until it is closed."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self.path = path
        self._handle = handle
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen; the daemon's lock says that a socket that is there already is nobody's."""
        self.path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self.path, limit=MAX_LINE_BYTES)
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                if _is_ours(writer):
                    answer = await self._answer(await reader.readline())
                    writer.write(msgspec.json.encode(answer) + b"\n")
                    await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            logger.warning("livestream.control_failed", extra={"error": type(error).__name__})
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> JsonObject:
        try:
            request = msgspec.json.decode(line, type=dict)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {"ok": False, "detail": "one JSON object a line is wanted"}
        try:
            return await self._handle(request)
        except (msgspec.ValidationError, ValueError, KeyError) as error:
            return {"ok": False, "detail": f"{request.get('op')}: {error}"}


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(credentials)[1] == os.getuid())
