"""One Studio, from its folder to its port: opened in order, closed in the opposite one.

A folder has one Studio at a time (``studio.lock``, released by the kernel whatever becomes of the process). Everything
is open and recovered before the port listens, so that the first answer is as good as any; and at the end the port goes
first, what is in flight has ``DRAIN_S`` to end, and what was answered is on disk long before.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from livestream.config import (
    ConfigError,
    LocalStudio,
    Secret,
    announce_local_studio,
    read_local_studio,
    retract_local_studio,
)
from livestream.errors import LivestreamError
from livestream.files import private_folder, write_whole
from livestream.studio.alerts.desk import Desk
from livestream.studio.alerts.parts import Parts
from livestream.studio.app import build_app
from livestream.studio.auth.base import Token
from livestream.studio.auth.errors import NoTokenError
from livestream.studio.auth.keeper import Keeper, sign_in_link
from livestream.studio.broker import Broker
from livestream.studio.clock import now_us
from livestream.studio.counters import Counters
from livestream.studio.git_tree.tree import GitTree
from livestream.studio.http import connections
from livestream.studio.http.context import Services
from livestream.studio.ingest.ingest import Ingest
from livestream.studio.judge import Judge
from livestream.studio.settings import LOOPBACK_HOSTS, StudioSettings
from livestream.studio.store.blobs import Blobs
from livestream.studio.store.readers import Readers
from livestream.studio.store.sqlite.reader import SqliteReader
from livestream.studio.store.sqlite.writer import open_writer

logger: Final = logging.getLogger(__name__)

LOCK: Final = "studio.lock"
STATE: Final = "studio.json"
THIS_MACHINE: Final = "this machine"
"""Name of the token in the user's configuration folder."""
FIRST_TOKEN: Final = "first"  # noqa: S105 - its name
ANNOUNCE_S: Final = 5.0
"""How soon trainings on this machine are given a new token after theirs was revoked."""
DRAIN_S: Final = 5.0
BACKLOG: Final = 1024
MAX_FILES: Final = 8_192
"""Most of them connections, and one that says nothing yet takes 30 KB."""
SWITCH_INTERVAL_S: Final = 0.001
"""The writer's thread computes while the event loop answers; Python's 5 ms would be added to every answer."""
GARBAGE_THRESHOLDS: Final = (50_000, 20, 50)
"""A body decodes to thousands of dictionaries, none of them in a cycle; with Python's 700 it looks all the time."""


class StudioBusyError(LivestreamError):
    """Another Studio serves this folder."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """``studio.json`` in the data folder: who serves it, where, and what people open."""

    pid: int
    url: str
    page_url: str


class Studio(msgspec.Struct, frozen=True, kw_only=True):
    """A Studio that listens.

    Attributes:
        url: Where it listens, without a slash at its end; ``page_url`` is what people open.
        first_token: The ingest token of its first start, which is shown this once.
        announced: The file by which trainings of this user find it.
    """

    services: Services
    url: str
    page_url: str
    first_token: str | None
    announced: Path | None

    def new_sign_in_link(self) -> str:
        """Make a link that signs one browser in."""
        return sign_in_link(self.page_url, self.services.keeper.new_sign_in_code())


def read_state(data: Path) -> State | None:
    """Tell who serves a folder, as it says itself; None where nobody does: a killed one's word is not taken."""
    try:
        state = msgspec.json.decode((data / STATE).read_bytes(), type=State)
        os.kill(state.pid, 0)
    except (OSError, OverflowError, msgspec.DecodeError):
        return None
    return state


async def serve(
    settings: StudioSettings, environ: Mapping[str, str], ready: Callable[[Studio], None], *, announce: bool = True
) -> None:
    """Run a Studio until SIGTERM or SIGINT; ``ready`` is called when it listens.

    Raises:
        ConfigError: The host or the port cannot be used, or nobody would need a token there.
        StudioBusyError: Another one serves the folder.
        LivestreamError: The folder or what is in it cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _allow_connections()
    async with opened(settings, environ, announce=announce) as studio:
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        ready(studio)
        await stop.wait()
        logger.info("livestream.studio_stopping")


@asynccontextmanager
async def opened(
    settings: StudioSettings, environ: Mapping[str, str], *, announce: bool = False
) -> AsyncIterator[Studio]:
    """Open a Studio, listen, and close it in good order; errors as `serve`."""
    data = private_folder(settings.data)
    async with AsyncExitStack() as stack:
        stack.enter_context(_locked(data))
        listener = stack.enter_context(_bound(settings.host, settings.port))
        keeper = Keeper(data, now_us)
        stack.callback(keeper.close)
        first_token = _first_token(settings.host, keeper)
        url = _url(settings.host, listener.getsockname()[1])
        page_url = (settings.public_url or url).rstrip("/")
        services = await _open_services(stack, settings, keeper, page_url)
        stack.enter_context(_stated(data, State(pid=os.getpid(), url=url, page_url=page_url)))
        await _listen(stack, services, listener)
        announced = await stack.enter_async_context(_announced(environ, url, keeper)) if announce else None
        yield Studio(services=services, url=url, page_url=page_url, first_token=first_token, announced=announced)


async def _open_services(stack: AsyncExitStack, settings: StudioSettings, keeper: Keeper, page_url: str) -> Services:
    """Open the store and all that works on it; what was logged and not applied is being applied from now on."""
    data, counters, blobs = settings.data, Counters(), Blobs(settings.data)
    writer = open_writer(data, blobs)
    stack.callback(writer.close)  # once more than `Ingest.stop`, for a start that does not come so far
    readers = Readers(lambda: SqliteReader(data))
    stack.push_async_callback(readers.close)
    broker = Broker(await readers.ask(lambda reader: reader.last_change()))
    ingest = Ingest(writer, data, settings.limits, broker.publish, counters, now_us)
    await ingest.start()
    stack.push_async_callback(ingest.stop)
    tree = GitTree(data, settings.repositories)
    await tree.start()
    stack.push_async_callback(tree.stop)
    stack.callback(broker.close)
    around = Parts(broker, readers, counters, settings.bounds, ingest.applying, page_url, now_us)
    services = Services(
        settings=settings,
        readers=readers,
        blobs=blobs,
        ingest=ingest,
        broker=broker,
        keeper=keeper,
        tree=tree,
        counters=counters,
        alerts=Desk(data, around),
        clock_us=now_us,
    )
    await stack.enter_async_context(_in_background(services.alerts.run()))
    await stack.enter_async_context(_in_background(Judge(broker, readers, ingest, settings.bounds, now_us).run()))
    return services


async def _listen(stack: AsyncExitStack, services: Services, listener: socket.socket) -> None:
    runner = web.AppRunner(
        build_app(services),
        access_log=None,
        logger=connections.logger,
        keepalive_timeout=connections.IDLE_S,
        max_line_size=connections.MAX_LINE_BYTES,
        shutdown_timeout=DRAIN_S / 2,  # aiohttp waits twice: once more after it has told handlers that no body comes
        auto_decompress=False,  # `ingest.intake` bounds what a body may unpack to
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.SockSite(runner, listener, backlog=BACKLOG)
    try:
        await site.start()
    except OSError as error:  # somebody took the port since it was bound
        raise _cannot_listen(services.settings.host, services.settings.port, error) from error
    stack.callback(services.broker.close)  # streams end here, before the runner waits for what is in flight


# -- pieces


def _allow_connections() -> None:
    """Let a process that is started with the usual 1,024 files have as many connections as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Be the only Studio of a folder."""
    descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(data)
            where = f" on {state.url} (process {state.pid})" if state else ""
            raise StudioBusyError(f"{data} is served by another Studio{where}") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address; nobody is let in before it listens."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(
            f"--host {host!r} is no address of this machine; accepted: 127.0.0.1, 0.0.0.0, ..."
        ) from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except (OSError, OverflowError) as error:
            raise _cannot_listen(host, port, error) from error
        yield listener


def _cannot_listen(host: str, port: int, error: Exception) -> ConfigError:
    hint = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        hint = "another program listens there; --port N takes another one, --port 0 any that is free"
    return ConfigError(f"cannot listen on {host} port {port}: {hint}")


def _first_token(host: str, keeper: Keeper) -> str | None:
    """Make an ingest token for a Studio that has none; one that others could reach is to have been set up before."""
    if keeper.has_tokens():
        return None
    if host not in LOOPBACK_HOSTS:
        raise ConfigError(
            f"--host {host} lets others in and there is no token yet; make one first: `livestream token create NAME`"
        )
    return _created(keeper, FIRST_TOKEN)[1]


def _created(keeper: Keeper, name: str) -> tuple[Token, str]:
    """Make an ingest token, or give the one of that name, which is no longer good, a new secret."""
    try:
        token = keeper.find(name)
    except NoTokenError:
        return keeper.create(name, ("ingest",))
    if token.expires_us is not None and token.expires_us <= now_us():
        keeper.delete(token.id)
        return keeper.create(name, ("ingest",))
    return keeper.regenerate(token.id)


@asynccontextmanager
async def _announced(environ: Mapping[str, str], url: str, keeper: Keeper) -> AsyncIterator[Path | None]:
    """Leave address and token where this user's trainings look, and keep the token good: `revoke --all` ends it too."""
    known, _ = read_local_studio(environ)
    caller = keeper.check(known.token.reveal()) if known is not None else None
    is_ours = caller is not None and caller.name == THIS_MACHINE and caller.may("ingest")
    announcement = _Announcement(environ, url, keeper, known.token if known is not None and is_ours else None)
    path = announcement.write()
    try:
        async with _in_background(announcement.keep()):
            yield path
    finally:
        with suppress(OSError):
            retract_local_studio(environ, announcement.studio)


class _Announcement:
    """What trainings on this machine are told."""

    def __init__(self, environ: Mapping[str, str], url: str, keeper: Keeper, token: Secret | None) -> None:
        self._environ = environ
        self._keeper = keeper
        self.studio = LocalStudio(url, token or self._new_token())

    def write(self) -> Path | None:
        """Write the file; None where the user has no home."""
        return announce_local_studio(self._environ, self.studio)

    async def keep(self) -> None:
        """Make a new token where the last one was revoked or deleted, unless another Studio has announced itself.

        One that somebody has regenerated is in their hands until the next start.
        """
        while True:
            await asyncio.sleep(ANNOUNCE_S)
            try:
                told = read_local_studio(self._environ)
                if told == (None, None) and self._is_there():
                    self.write()  # another Studio that had announced itself since has ended
                elif told[0] == self.studio and not self._is_there():
                    self.studio = LocalStudio(self.studio.url, self._new_token())
                    self.write()
            except (LivestreamError, OSError) as error:
                logger.warning("livestream.studio_not_announced", extra={"error": str(error)})

    def _is_there(self) -> bool:
        """Look for the token by its name: to check its secret would count as a use."""
        try:
            self._keeper.find(THIS_MACHINE)
        except NoTokenError:
            return False
        return True

    def _new_token(self) -> Secret:
        return Secret(_created(self._keeper, THIS_MACHINE)[1])


@contextmanager
def _stated(data: Path, state: State) -> Iterator[None]:
    """Leave the address where the commands look."""
    for left in data.glob(f".{STATE}.*"):  # by one that was killed while it wrote
        left.unlink(missing_ok=True)
    write_whole(data / STATE, msgspec.json.encode(state) + b"\n")
    try:
        yield
    finally:
        (data / STATE).unlink(missing_ok=True)


@asynccontextmanager
async def _in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    task.add_done_callback(_note_trouble)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _note_trouble(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("livestream.studio_task_failed", exc_info=task.exception())


def _url(host: str, port: int) -> str:
    """Give the address by which this machine reaches a Studio that listens on a host."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{host}]:{port}" if ":" in host and not host.startswith("[") else f"http://{host}:{port}"
