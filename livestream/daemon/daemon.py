"""The daemon of one spool: begins, watches, delivers by one task an experiment, and ends in good order.

It ends by SIGTERM (requests in flight are finished or given up within ``STOP_WITHIN_S``; the books are exact either
way), when it is idle and empty, or, run once, when nothing more can be delivered now. What is held (no token, offline,
a wrong URL) keeps no daemon alive: the next writer, or ``livestream sync``, starts another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from livestream._version import __version__
from livestream.daemon.beats import Beats
from livestream.daemon.bookkeeper import Bookkeeper
from livestream.daemon.control import ControlServer, socket_path
from livestream.daemon.lane import Lane
from livestream.daemon.roster import Roster, RosterOptions
from livestream.daemon.shared import Shared
from livestream.daemon.vault import Vault
from livestream.daemon.watcher import watch
from livestream.errors import SpoolBusyError
from livestream.events import JsonObject
from livestream.files import write_whole
from livestream.sinks.studio import StudioSink, Timeouts
from livestream.spool import filesystem
from livestream.spool.dead_blobs import drop_dead_blobs
from livestream.spool.launch import Handover
from livestream.spool.layout import (
    DAEMON_LOCK,
    PUBLISHED_FILE,
    FileLock,
    Published,
    folder_bytes,
    private_folder,
    spool_key,
)

logger = logging.getLogger("livestream.daemon")

TICK_S: Final = 1.0
ONCE_TICK_S: Final = 0.05
PUBLISH_S: Final = 5.0
LETTERS_S: Final = 30.0
STOP_WITHIN_S: Final = 5.0


class DaemonOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a daemon runs.

    Attributes:
        idle_exit_s: End after this long without a living writer and with nothing to deliver; ``None``: never.
        once: End as soon as nothing more can be delivered now.
        deadline_s: End after this long whatever is left.
        send_offline: Deliver the runs that were marked offline too.
        orphan_after_s: A writer on another host whose heartbeat stands still this long is dead.
        retention_s: Keep delivered segments this long.
        handover: A token, from the writer that started this daemon.
        timeouts: How long a Studio may be silent.
    """

    idle_exit_s: float | None = None
    once: bool = False
    deadline_s: float | None = None
    send_offline: bool = False
    orphan_after_s: float = 300.0
    retention_s: float = 0.0
    handover: Handover | None = None
    timeouts: Timeouts = Timeouts()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How a daemon's run ended, in events; ``held`` says why the rest waits."""

    queued: int
    dead: int
    delivered: int
    held: tuple[str, ...]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a daemon stands, in events; ``note`` is the text of a wait or a hold in force."""

    emitted: int
    delivered: int
    dead: int
    refused: int
    queued: int
    bytes_sent: int
    note: str


class Daemon:
    """One daemon; ``run`` it once."""

    def __init__(self, spool: Path, options: DaemonOptions, environ: Mapping[str, str] = os.environ) -> None:
        self._spool = Path(os.path.realpath(spool))
        self._options = options
        self._environ = environ
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._named: set[str] = set()
        self._looking: list[asyncio.Future[None]] = []
        self._shared: Shared | None = None
        self._roster: Roster | None = None
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._idle_since: float | None = None
        self._publish_at = self._letters_at = 0.0

    def request_stop(self) -> None:
        """End as soon as what is in flight is done; safe from a signal handler of the event loop."""
        self._stop.set()
        self._news.set()

    async def run(self) -> Summary:
        """Serve the spool until the end.

        Raises:
            SpoolBusyError: Another daemon serves it.
            SpoolError: The spool cannot be used.
        """
        private_folder(self._spool)
        lock = FileLock(self._spool / DAEMON_LOCK)
        if not lock.take():
            raise SpoolBusyError(f"another daemon serves {self._spool}")
        try:
            return await self._serve()
        finally:
            lock.release()

    async def _serve(self) -> Summary:
        shared_mode, _ = filesystem.choose_mode(self._mode(), filesystem.of_folder(self._spool))
        books = Bookkeeper(self._spool, shared=shared_mode)
        sink = StudioSink(self._options.timeouts, environ=self._environ)
        vault = Vault(self._environ, spool_key(self._spool))
        if self._options.handover is not None:
            vault.accept(self._options.handover)
        shared = self._shared = Shared(self._spool, books, sink, vault)
        shared.send_offline = self._options.send_offline
        shared.look_everywhere = self._look_everywhere
        roster = self._roster = Roster(
            shared,
            RosterOptions(orphan_after_s=self._options.orphan_after_s, retention_s=self._options.retention_s),
        )
        control = ControlServer(socket_path(self._spool, self._environ), self._handle)
        await books.open()
        await roster.sweep()
        await control.open()
        await self._publish(control)
        logger.info("livestream.daemon_started", extra={"spool": str(self._spool), "pid": os.getpid()})
        beats = Beats(shared, roster.lanes.values, orphan_after_s=self._options.orphan_after_s)
        beating = asyncio.create_task(beats.run())
        watching = asyncio.create_task(watch(self._spool, self._on_news, self._stop))
        try:
            await self._loop(roster, control)
        finally:
            self._stop.set()
            beating.cancel()
            await control.close()
            await self._end_lanes(roster)
            await asyncio.gather(beating, return_exceptions=True)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            summary = self._summary(roster)
            await roster.close()
            await sink.close()
            await books.close()
            (self._spool / PUBLISHED_FILE).unlink(missing_ok=True)
            logger.info("livestream.daemon_ended", extra=msgspec.structs.asdict(summary))
        return summary

    def _mode(self) -> filesystem.Mode:
        wanted = self._environ.get("LIVESTREAM_SPOOL_MODE", "auto")
        return "shared" if wanted == "shared" else "local" if wanted == "local" else "auto"

    # -- the loop

    async def _loop(self, roster: Roster, control: ControlServer) -> None:
        shared = self._shared_now
        began = last_full = shared.clock()
        tick_s = ONCE_TICK_S if self._options.once else TICK_S
        names: set[str] | None = None
        while not self._stop.is_set():
            looking, self._looking = self._looking, []
            try:
                for lane in await roster.look(None if looking else names):
                    self._begin(lane)
                await self._upkeep(roster, control)
            except Exception:
                logger.exception("livestream.upkeep_failed", extra={"spool": str(self._spool)})
            for looked in looking:
                if not looked.done():
                    looked.set_result(None)
            now = shared.clock()
            if names is None:
                last_full = now
            if self._is_over(roster, now, began):
                await roster.clear_up()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, tick_s - (now - last_full))):
                    await self._news.wait()
            self._news.clear()
            named, self._named = self._named, set()
            names = None if shared.clock() - last_full >= tick_s else named

    @property
    def _shared_now(self) -> Shared:
        if self._shared is None:
            raise RuntimeError("the daemon is not running")
        return self._shared

    async def _look_everywhere(self) -> None:
        """Have every queue looked at, new ones included, before going on."""
        looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._looking.append(looked)
        self._news.set()
        await looked

    def _on_news(self, names: set[str]) -> None:
        self._named |= names
        self._news.set()

    async def _upkeep(self, roster: Roster, control: ControlServer) -> None:
        shared = self._shared_now
        now = shared.clock()
        if now >= self._publish_at:
            self._publish_at = now + PUBLISH_S
            await self._publish(control)
        if now >= self._letters_at:
            self._letters_at = now + LETTERS_S
            await self._retry_letters(roster)
            for lane in roster.retire():
                self._lanes.pop(lane.id).cancel()

    async def _publish(self, control: ControlServer) -> None:
        shared = self._shared_now
        total = await asyncio.to_thread(folder_bytes, self._spool)
        published = Published(
            pid=os.getpid(),
            host=socket.gethostname(),
            version=__version__,
            socket=str(control.path),
            spool_bytes=total,
            updated=shared.wall(),
        )
        with suppress(OSError):  # a full disk: the writers look for themselves
            await asyncio.to_thread(write_whole, self._spool / PUBLISHED_FILE, msgspec.json.encode(published))
        await asyncio.to_thread(shared.books.keep_ballast)

    async def _retry_letters(self, roster: Roster) -> None:
        shared = self._shared_now
        for letter in await shared.books.do(lambda books: books.letters.due(shared.wall())):
            fresh = await roster.take_back(letter)
            if fresh is not None:
                self._begin(fresh)

    def _begin(self, lane: Lane) -> None:
        self._lanes[lane.id] = asyncio.create_task(lane.run(), name=f"lane {lane.id}")

    # -- the end

    def _is_over(self, roster: Roster, now: float, began: float) -> bool:
        options = self._options
        if options.deadline_s is not None and now - began >= options.deadline_s:
            return True
        settled = all(_is_settled(lane) for lane in roster.lanes.values())
        if options.once or roster.newer:
            return settled and not roster.recovering
        if not settled or roster.is_live():
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or now
        return options.idle_exit_s is not None and now - self._idle_since >= options.idle_exit_s

    async def _end_lanes(self, roster: Roster) -> None:
        """Let what is in flight come to its end, for a while; a lane that only waits is ended at once."""
        busy = []
        for lane_id, task in self._lanes.items():
            lane = roster.lanes[lane_id]
            if lane.idle:
                task.cancel()
            else:
                lane.stop()
                busy.append(task)
        if busy:
            await asyncio.wait(busy, timeout=STOP_WITHIN_S)
        for task in self._lanes.values():
            task.cancel()
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)

    def _summary(self, roster: Roster) -> Summary:
        progress = self.progress()
        held = {lane.held for lane in roster.lanes.values() if lane.held is not None and lane.queued}
        return Summary(
            queued=progress.queued, dead=progress.dead, delivered=progress.delivered, held=tuple(sorted(held))
        )

    def progress(self) -> Progress:
        """Tell where the daemon stands; at any time, from its event loop."""
        roster, shared = self._roster, self._shared
        if roster is None or shared is None:
            return Progress(emitted=0, delivered=0, dead=0, refused=0, queued=0, bytes_sent=0, note="")
        entries = [entry for lane in roster.lanes.values() for entry in lane.entries.values()]
        notes = [lane.held for lane in roster.lanes.values() if lane.held]
        notes += [studio.note for studio in shared.studios.values() if studio.blocked_s > 0 and studio.note]
        totals = msgspec.structs.replace(roster.retired)
        for entry in entries:
            totals.add(entry)
        return Progress(
            emitted=totals.emitted,
            delivered=totals.delivered,
            dead=totals.dead,
            refused=totals.refused,
            queued=sum(entry.queued for entry in entries),
            bytes_sent=shared.counts.bytes_sent,
            note=notes[0] if notes else "",
        )

    # -- what others ask

    async def _handle(self, request: JsonObject) -> JsonObject:
        shared, roster = self._shared_now, self._roster
        match request.get("op"):
            case "ping":
                return {"ok": True, "pid": os.getpid(), "version": __version__}
            case "token":
                shared.vault.accept(msgspec.convert(request, Handover))
                self._wake_all(roster)
            case "wake":
                self._wake_all(roster)
            case "sync":
                shared.send_offline = True
                for studio in shared.studios.values():
                    studio.release()
                self._wake_all(roster)
            case "retry":
                count = await shared.books.do(lambda books: books.letters.retry(request["ids"]))
                self._letters_at = 0.0
                self._news.set()
                return {"ok": True, "count": count}
            case "drop":
                unneeded = await shared.books.do(lambda books: books.letters.drop(request["ids"]))
                drop_dead_blobs(self._spool, unneeded)
                return {"ok": True, "count": len(request["ids"])}
            case "stop":
                self.request_stop()
            case _:
                return {"ok": False, "detail": "unknown op"}
        return {"ok": True}

    def _wake_all(self, roster: Roster | None) -> None:
        for lane in roster.lanes.values() if roster is not None else ():
            lane.release()
        self._news.set()


def _is_settled(lane: Lane) -> bool:
    """Whether a lane has nothing to do, or nothing that it can do now."""
    return lane.idle and (lane.held is not None or lane.is_through)
