"""``livestream sync``: deliver everything now, in the foreground.

It is the daemon, run here and until nothing more can be delivered. Where a daemon serves the spool already, that one is
asked to send everything, and followed in daemon.db with the same bar; when it ends first, this takes over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from livestream import config
from livestream.cli.exits import (
    DEAD_LETTERS,
    HELD,
    INTERRUPTED,
    NO_SPOOL,
    OK,
    TIMED_OUT,
    TROUBLE,
    worst,
)
from livestream.cli.logs import log_nowhere, log_to_stderr, secrets_of
from livestream.cli.outcome import Remains, exit_code, last_letter, remains
from livestream.cli.output import counted, human_bytes, human_s, print_json
from livestream.cli.progress import Seen, View, view
from livestream.cli.spools import chosen, is_spool, json_option, look
from livestream.cli.survey import SpoolFacts, survey
from livestream.daemon.daemon import Daemon, DaemonOptions
from livestream.errors import LivestreamError, SpoolBusyError, SpoolError
from livestream.events import JsonObject
from livestream.spool.launch import ask_daemon, is_served
from livestream.spool.rows import Books

SHOW_S: Final = 0.1
FOLLOW_S: Final = 0.25
SURVEY_S: Final = 1.0
"""Following reads daemon.db; the folders, which cost more, are looked at less often."""

HELD_AFTER_S: Final = 3.0
"""A daemon that was asked to try its holds again has this long to come to another result."""

SHOWN_LETTERS: Final = 10

_HELP = """Deliver everything now, in the foreground; also runs that were recorded offline.

SPOOLs are folders; without one it is LIVESTREAM_SPOOL, else the one in your state folder. Where a daemon serves a
spool already it is asked to send everything, and followed. What the Studio will not take is passed by, and listed at
the end.

\b
Examples:
    livestream sync
    livestream sync /scratch/*/spool --timeout 600
    livestream sync --timeout 60 --json | jq .exit_code

\b
Exit codes:
    0    nothing is left
    1    a spool cannot be used; the message says why
    3    the time is over, and events are left
    4    events are held: no token, a refused one, a wrong URL, ...
    5    only dead letters are left
    6    there is no spool in one of the folders
    130  stopped by Ctrl-C
"""


class Result(msgspec.Struct, kw_only=True):
    """How the sync of one spool ended, in events; ``bytes_sent`` is unknown where a daemon did it.

    ``problem`` says what kept it from beginning, or from going on.
    """

    spool: str
    exit_code: int
    delivered: int = 0
    queued: int = 0
    held: tuple[str, ...] = ()
    bytes_sent: int | None = None
    elapsed_s: float = 0.0
    dead_letters: int = 0
    letters_waiting: int = 0
    bad_records: list[JsonObject] = []
    problem: str = ""


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    queued: int
    held: tuple[str, ...] = ()
    bytes_sent: int | None = None


@click.command(help=_HELP)
@click.argument("spools", nargs=-1, type=click.Path(path_type=Path, file_okay=False))
@click.option("--spool", multiple=True, type=click.Path(path_type=Path, file_okay=False), help="The same as SPOOLS.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), metavar="S", help="End after S seconds, done or not."
)
@click.option("-v", "--verbose", is_flag=True, help="Log to standard error instead of drawing a bar.")
@json_option
def sync(
    spools: tuple[Path, ...], spool: tuple[Path, ...], timeout_s: float | None, *, verbose: bool, as_json: bool
) -> None:
    """Deliver everything now, in the foreground."""
    if verbose:
        log_to_stderr(secrets_of(os.environ))
    else:
        log_nowhere()
    config.read_settings(os.environ)  # nonsense in a variable is said once, before anything is done
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    results = []
    for path in [chosen(folder) for folder in (*spools, *spool)] or [chosen()]:
        result = _sync_one(path, deadline, plain=verbose, quiet=as_json)
        results.append(result)
        if not as_json:
            _report(result)
        if result.exit_code == INTERRUPTED:
            break
    code = worst([result.exit_code for result in results])
    if as_json:
        print_json({"exit_code": code, "spools": results})
    raise SystemExit(code)


def _sync_one(path: Path, deadline: float | None, *, plain: bool, quiet: bool) -> Result:
    if not is_spool(path):
        return Result(spool=str(path), exit_code=NO_SPOOL, problem="there is no spool here; was anything recorded?")
    try:
        return _deliver(path, deadline, plain=plain, quiet=quiet)
    except LivestreamError as error:  # the other spools must not wait for this one to be mended
        return Result(spool=str(path), exit_code=TROUBLE, problem=str(error))


def _deliver(path: Path, deadline: float | None, *, plain: bool, quiet: bool) -> Result:
    began = time.monotonic()
    before = survey(path)
    since = last_letter(path)
    shown = view(plain=plain, quiet=quiet)
    work = _Sync(path, before, shown, deadline)
    try:
        ended = asyncio.run(work.run())
    finally:
        shown.close()
    left = remains(path, since)
    after = survey(path).books
    return Result(
        spool=str(path),
        exit_code=INTERRUPTED if work.interrupted else exit_code(ended, left),
        delivered=after.delivered - before.books.delivered,
        queued=ended.queued,
        held=ended.held,
        bytes_sent=ended.bytes_sent,
        elapsed_s=round(time.monotonic() - began, 3),
        dead_letters=left.dead,
        letters_waiting=left.waiting,
        bad_records=_bad_records(left),
    )


def _bad_records(left: Remains) -> list[JsonObject]:
    return [
        {
            "id": letter.id,
            "writer": letter.writer,
            "seq": letter.seq,
            "count": letter.count,
            "kind": letter.kind,
            "reason": letter.reason,
        }
        for letter in left.fresh
    ]


class _Sync:
    """The sync of one spool: be its daemon, or follow the one there is."""

    def __init__(self, path: Path, before: SpoolFacts, shown: View, deadline: float | None) -> None:
        self.interrupted = False
        self._path = path
        self._shown = shown
        self._deadline = deadline
        self._before = _present(before)
        self._stop = asyncio.Event()

    async def run(self) -> _Ended:
        """Deliver until the end, whoever does it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        while True:
            try:
                return await self._serve()
            except SpoolBusyError:
                ended = await self._follow()
                if ended is not None:
                    return ended

    def _interrupt(self) -> None:
        self.interrupted = True
        self._stop.set()

    @property
    def _left_s(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    # -- as the daemon

    async def _serve(self) -> _Ended:
        settings = config.read_settings(os.environ)
        daemon = Daemon(
            self._path,
            DaemonOptions(
                once=True,
                deadline_s=self._left_s,
                send_offline=True,
                orphan_after_s=settings.orphan_after_s,
                retention_s=settings.retention_s,
            ),
        )
        serving = asyncio.create_task(daemon.run())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not serving.done():
                await asyncio.wait({serving, stopping}, timeout=SHOW_S, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.is_set():
                    daemon.request_stop()
                    await asyncio.wait({serving})
                progress = daemon.progress()
                if progress.emitted:
                    self._show(progress.emitted, progress.queued, progress.bytes_sent, progress.note)
        finally:
            stopping.cancel()
        summary = serving.result()
        return _Ended(queued=summary.queued, held=summary.held, bytes_sent=daemon.progress().bytes_sent)

    def _show(self, accepted: int, queued: int, bytes_sent: int | None, note: str) -> None:
        begun = self._before.queued + max(accepted - self._before.accepted, 0)
        self._shown.show(Seen(done=max(begun - queued, 0), left=queued, bytes_sent=bytes_sent, note=note))

    # -- beside the daemon

    async def _follow(self) -> _Ended | None:
        """Follow the daemon that serves the spool; ``None`` where it has ended and something is left."""
        await asyncio.to_thread(ask_daemon, self._path, {"op": "sync"})
        asked_at = surveyed_at = time.monotonic()
        while True:
            now = time.monotonic()
            books, note = await asyncio.to_thread(self._read_books)
            self._show(books.accepted, books.queued, None, note)
            over = self._stop.is_set() or self._left_s == 0.0
            if over or not books.queued or now - surveyed_at >= SURVEY_S:
                surveyed_at = now
                facts = await asyncio.to_thread(survey, self._path)
                ended = self._judge(facts, over=over, patient=now - asked_at < HELD_AFTER_S)
                if ended is not None:
                    return ended
            if not is_served(self._path):
                return None
            try:
                async with asyncio.timeout(min(FOLLOW_S, FOLLOW_S if self._left_s is None else self._left_s)):
                    await self._stop.wait()
            except TimeoutError:
                pass

    def _judge(self, facts: SpoolFacts, *, over: bool, patient: bool) -> _Ended | None:
        """Tell whether there is nothing more to wait for."""
        waiting = [one for one in facts.experiments if one.waits or one.state == "ending"]
        held = tuple(sorted({one.held for one in waiting if one.held is not None}))
        stuck = bool(waiting) and not patient and all(one.held is not None for one in waiting)
        if over or stuck or not waiting:
            return _Ended(queued=facts.books.queued, held=held if stuck else ())
        return None

    def _read_books(self) -> tuple[Books, str]:
        try:
            state = look(self._path)
        except SpoolError:
            return self._before, "daemon.db cannot be read now"
        if state is None:
            return self._before, "the daemon is starting"
        try:
            present = [row for row in state.writers() if not row.gone]
            now = time.time()
            notes = [row.detail for row in state.targets() if row.state != "up" and (row.until or 0.0) > now]
            accepted, queued = sum(row.emitted for row in present), sum(row.queued for row in present)
            return Books(accepted=accepted, queued=queued), notes[0] if notes else ""
        except SpoolError:
            return self._before, "daemon.db cannot be read now"
        finally:
            state.close()


def _present(facts: SpoolFacts) -> Books:
    """Add up the accounts of the writers whose folders are there: a delivery is measured on them."""
    total = Books()
    for writer in facts.writers:
        if not writer.gone:
            total = total.plus(writer.books)
    return total


# -- what is said at the end


def _report(result: Result) -> None:
    if result.problem:
        click.echo(f"{result.spool}: {result.problem}")
        return
    sent = "" if result.bytes_sent is None else f" ({human_bytes(result.bytes_sent)} sent)"
    click.echo(
        f"{result.spool}: {counted(result.delivered, 'event')} delivered{sent} in {human_s(result.elapsed_s)};"
        f" {_leftovers(result)}."
    )
    for reason in result.held:
        click.echo(f"  held: {reason}")
    for letter in result.bad_records[:SHOWN_LETTERS]:
        click.echo(f"  dead letter {letter['id']}: event {letter['seq']} of {letter['writer']}: {letter['reason']}")
    if len(result.bad_records) > SHOWN_LETTERS:
        click.echo(f"  ... and {counted(len(result.bad_records) - SHOWN_LETTERS, 'more')}")
    if advice := _ADVICE.get(result.exit_code):
        click.echo(f"  {advice}")


def _leftovers(result: Result) -> str:
    parts = []
    if result.queued:
        parts.append(f"{counted(result.queued, 'event')} left")
    if result.letters_waiting:
        parts.append(f"{counted(result.letters_waiting, 'dead letter')} to be tried again")
    if result.dead_letters:
        parts.append(f"{counted(result.dead_letters, 'dead letter')}")
    return ", ".join(parts) or "nothing is left"


_ADVICE: Final = {
    OK: "",
    TIMED_OUT: "The time is over; everything is safe in the spool: run `livestream sync` again.",
    HELD: "Everything is safe in the spool: see `livestream doctor`, and run `livestream sync` again.",
    DEAD_LETTERS: "See `livestream queue ls --dead`; then `livestream queue retry` or `drop`.",
    INTERRUPTED: "Stopped; everything is safe in the spool: run `livestream sync` again.",
}
