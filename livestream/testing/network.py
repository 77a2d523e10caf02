"""`Link`: a line to a real server that can be cut, where the server itself is not ours to script.

It forwards TCP on loopback, from a port of its own to the server's. Cut, it resets every connection in the middle of
whatever it carries and has new ones refused. The port stays reserved meanwhile, as a fake Studio's does in an outage.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from livestream.testing.server import LOOPBACK, bind_loopback, reset

_PIECE_BYTES: Final = 1 << 16
_BACKLOG: Final = 512  # connections; several clients come back at once after an outage
_ANSWER_S: Final = 10.0


class Link:
    """A line from ``url`` to a server on loopback; it works from construction on, in a thread of its own.

    Methods may be called from any thread; what they do is done when they return. ``port`` is the same over breaks.
    """

    def __init__(self, target_port: int, port: int = 0) -> None:
        """Open the line; where no server listens on ``target_port``, connections are reset. Port 0 takes a free one.

        Raises:
            OSError: The port cannot be listened on.
        """
        self._target_port = target_port
        self._placeholder = bind_loopback(port)
        self.port: int = self._placeholder.getsockname()[1]
        self._listener: socket.socket | None = None
        self._carrying: dict[asyncio.Task[None], socket.socket] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()
        try:
            self.mend()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The base URL that leads to the server through this line."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def broken(self) -> bool:
        """Whether nothing passes."""
        return self._listener is None

    def break_(self) -> None:
        """Reset all connections and refuse new ones; nothing changes where it is broken already."""
        self._do(self._break())

    def mend(self) -> None:
        """Let new connections pass; nothing changes where they do."""
        self._do(self._mend())

    def close(self) -> None:
        """Break it for good, and give the port back; may be called twice."""
        if self._loop.is_closed():
            return
        self.break_()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_S)
        self._loop.close()
        self._placeholder.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            done = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise RuntimeError("the link is closed") from None
        done.result(_ANSWER_S)

    # What follows runs on the link's loop.

    async def _mend(self) -> None:
        if self._listener is None:
            self._listener = listener = bind_loopback(self.port)
            listener.setblocking(False)
            listener.listen(_BACKLOG)
            self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            client, _ = listener.accept()
            task = self._loop.create_task(self._carry(client))
            self._carrying[task] = client
            task.add_done_callback(lambda task: self._carrying.pop(task, None))

    async def _break(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._loop.remove_reader(listener)
            with suppress(OSError):  # else a forked child that inherited it would go on listening
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        carrying = dict(self._carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        for client in carrying.values():  # of tasks that had not begun
            reset(client)

    async def _carry(self, client: socket.socket) -> None:
        """Carry one connection both ways until both ends are done, or one of them breaks: so does the other."""
        # Sockets of our own: asyncio's servers and streams leave some open, or close them politely, when cancelled.
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        whole = False
        try:
            for one in (client, server):
                one.setblocking(False)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.sock_connect(server, (LOOPBACK, self._target_port))
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pump(client, server))
                ways.create_task(self._pump(server, client))
            whole = True
        except* OSError:
            pass
        finally:
            for one in (client, server):
                one.close() if whole else reset(one)

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        while piece := await self._loop.sock_recv(source, _PIECE_BYTES):
            await self._loop.sock_sendall(sink, piece)
        sink.shutdown(socket.SHUT_WR)
