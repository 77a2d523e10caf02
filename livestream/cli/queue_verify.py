"""``livestream queue verify``: all that the spool answers for, against its checksums, numbers, seals and digests.

It reads beside writers and daemon and changes nothing. What is being delivered and removed meanwhile is no problem: the
cursor is asked again before anything missing is reported.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import msgspec

from livestream.cli.contents import ROWS_A_QUERY, SELECT_ROWS, Blobs, event_of, journal_frames
from livestream.cli.exits import OK, TROUBLE
from livestream.cli.output import counted, print_json
from livestream.cli.spools import existing, json_option, look, spool_option
from livestream.cli.survey import SpoolFacts, WriterFacts, survey
from livestream.errors import CorruptSpoolError, SpoolError
from livestream.events import Data, Spilled, decode
from livestream.spool.blobs import blob_path, read_blob
from livestream.spool.dead_blobs import read_dead_blob
from livestream.spool.delivery import cursor_of
from livestream.spool.journal import checksum
from livestream.spool.layout import sealed_path, segment_numbers, segment_path
from livestream.spool.salvage import looking, read_seal, whole
from livestream.spool.segment import Seal, chain

_HELP = """Check the spool against its checksums, numbers, seals and digests.

Nothing is changed. Exit code 0: all is sound; 1: what is wrong, and where, is listed.

\b
Example:
    livestream queue verify && echo sound
"""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written: in which writer, segment (0: its journal) and events."""

    problem: str
    writer: str | None = None
    segment: int | None = None
    first: int | None = None
    last: int | None = None

    @property
    def place(self) -> str:
        """Tell where."""
        where = self.writer or "daemon.db"
        if self.segment is not None:
            where += f", {f'segment {self.segment:08d}' if self.segment else 'journal'}"
        if self.first is not None:
            where += (
                f", event {self.first}" if self.last in (None, self.first) else f", events {self.first}-{self.last}"
            )
        return where


class Report(msgspec.Struct, kw_only=True):
    """What was read, what was left out, and what is wrong."""

    writers: int = 0
    segments: int = 0
    events: int = 0
    blobs: int = 0
    skipped: list[str] = []
    findings: list[Finding] = []


@click.command(help=_HELP)
@spool_option
@json_option
def verify(spool: Path | None, *, as_json: bool) -> None:
    """Check the spool against its checksums, numbers, seals and digests."""
    path = existing(spool)
    report = check(path, survey(path))
    if as_json:
        print_json({"spool": str(path), "sound": not report.findings, **msgspec.to_builtins(report)})
    else:
        _print(report)
    raise SystemExit(TROUBLE if report.findings else OK)


def _print(report: Report) -> None:
    for finding in report.findings:
        click.echo(f"{finding.place}: {finding.problem}")
    for note in report.skipped:
        click.echo(f"not looked at: {note}")
    read = ", ".join(
        counted(count, noun)
        for count, noun in (
            (report.writers, "writer"),
            (report.segments, "segment"),
            (report.events, "event"),
            (report.blobs, "blob"),
        )
    )
    verdict = f"{counted(len(report.findings), 'problem')} found" if report.findings else "all sound"
    click.echo(f"{read}: {verdict}.")
    if report.findings:
        click.echo("Nothing sound is lost by it: delivery passes damaged events by and lists them as dead letters.")


def check(path: Path, facts: SpoolFacts) -> Report:
    """Check a whole spool."""
    report = Report(skipped=[], findings=[Finding(problem=problem) for problem in facts.problems])
    for writer in facts.writers:
        if writer.gone:
            if writer.note:
                report.findings.append(Finding(problem=writer.note, writer=writer.uid))
            continue
        report.writers += 1
        if writer.info is None:
            born = writer.alive or writer.note.startswith("it has no writer.json")
            if born:
                report.skipped.append(f"{writer.uid}: {writer.note}")
            else:
                report.findings.append(Finding(problem=writer.note, writer=writer.uid))
            continue
        _Check(path, writer, report).run()
    _check_books(path, facts, report)
    return report


def _check_books(path: Path, facts: SpoolFacts, report: Report) -> None:
    if not facts.books.balanced:
        report.findings.append(Finding(problem="the books do not balance"))
    try:
        state = look(path)
    except SpoolError:
        return  # the survey said so
    if state is None:
        return
    try:
        for name in sorted(state.letters.blobs()):
            report.blobs += 1
            problem = _blob_problem(name, partial(read_dead_blob, path))
            if problem is not None:
                report.findings.append(Finding(problem=f"a dead letter's {problem}"))
    finally:
        state.close()


def _blob_problem(name: str, read: Blobs) -> str | None:
    try:
        read(name)
    except CorruptSpoolError as error:
        return str(error)
    except OSError as error:
        return f"blob {name} cannot be read: {error.strerror}"
    return None


class _Check:
    """The check of one writer's queue, segment by segment."""

    def __init__(self, spool: Path, writer: WriterFacts, report: Report) -> None:
        self._spool = spool
        self._folder = spool / writer.uid
        self._writer = writer
        self._shared = writer.info.shared if writer.info is not None else False
        self._report = report
        self._read = partial(read_blob, self._folder)
        self._last: int | None = None

    def run(self) -> None:
        """Check everything in the writer's folder."""
        skipped = False
        for number in segment_numbers(self._folder):
            if self._shared and not sealed_path(segment_path(self._folder, number)).exists():
                self._report.skipped.append(f"{self._writer.uid}, segment {number:08d}: only its writer may look yet")
                skipped = True
                continue
            self._segment(number)
        if skipped:
            return
        for frame in journal_frames(self._folder, self._last if self._last is not None else self._writer.cursor):
            self._event(0, frame.seq, frame.crc, frame.payload)
        accepted = self._writer.books.accepted
        reached = self._last if self._last is not None else self._writer.cursor
        if reached < accepted:
            self._missing(None, reached + 1, accepted)

    def _segment(self, number: int) -> None:
        path = segment_path(self._folder, number)
        sealed = sealed_path(path).exists()
        try:
            if not path.stat().st_size:
                return
            with looking(path) as connection:
                seal = read_seal(connection)
                found = self._rows(number, connection)
        except FileNotFoundError:
            return  # delivered and removed meanwhile
        except (sqlite3.Error, SpoolError, msgspec.ValidationError, TypeError) as error:
            if path.exists():
                self._found(number, f"it cannot be read: {error}")
            return
        self._report.segments += 1
        if seal is not None:
            self._compare(number, seal, found)
        if sealed and (problem := whole(path)) is not None and path.exists():
            self._found(number, problem)

    def _rows(self, number: int, connection: sqlite3.Connection) -> Seal:
        """Check the rows; tell what the seal should say of them."""
        before = self._last
        first, after, count, digest = 0, 0, 0, 0
        while rows := connection.execute(SELECT_ROWS, {"after": after, "limit": ROWS_A_QUERY}).fetchall():
            for seq, crc, body in rows:
                first = first or seq
                digest = chain(digest, crc)
                count += 1
                self._event(number, seq, crc, body)
            after = rows[-1][0]
        last = after or before or 0
        return Seal(first or last + 1, last, count, digest)

    def _compare(self, number: int, seal: Seal, found: Seal) -> None:
        if seal.count != found.count:
            self._found(number, f"its seal says {seal.count} events, it holds {found.count}")
        elif seal.count and seal.digest != found.digest:
            self._found(number, "its events are not those that were sealed (the digest differs)")
        if self._last is None or seal.last_seq > self._last:
            if self._last is not None:
                self._missing(number, self._last + 1, seal.last_seq)
            self._last = seal.last_seq

    def _event(self, number: int, seq: int, crc: int, body: object) -> None:
        self._report.events += 1
        expected = self._writer.cursor + 1 if self._last is None else self._last + 1
        if seq > expected:
            self._missing(number, expected, seq - 1)
        self._last = max(seq, self._last or 0)
        if not isinstance(body, bytes):
            self._found(number, f"its content is {type(body).__name__}", seq)
        elif checksum(body, seq) != crc:
            self._found(number, "it does not match its checksum", seq)
        else:
            self._content(number, seq, body)

    def _content(self, number: int, seq: int, body: bytes) -> None:
        for name in self._blobs(number, seq, body):
            self._report.blobs += 1
            problem = _blob_problem(name, self._read)
            if problem is not None and (blob_path(self._folder, name).exists() or not self._delivered(seq)):
                self._found(number, problem, seq)

    def _blobs(self, number: int, seq: int, body: bytes) -> Iterator[str]:
        """Name the blobs of an event, its own first."""
        try:
            event = decode(body)
            if isinstance(event, Spilled):
                yield event.blob
                if not blob_path(self._folder, event.blob).exists():
                    return
                event = event_of(body, self._read)
        except (msgspec.DecodeError, UnicodeDecodeError, CorruptSpoolError) as error:
            self._found(number, str(error), seq)
            return
        if isinstance(event, Data):
            yield from (image.blob for image in event.images.values() if image.blob is not None)

    def _delivered(self, seq: int) -> bool:
        return seq <= cursor_of(self._spool, self._writer.uid)

    def _missing(self, number: int | None, first: int, last: int) -> None:
        first = max(first, cursor_of(self._spool, self._writer.uid) + 1)
        if first <= last:
            finding = Finding(problem="missing", writer=self._writer.uid, segment=number, first=first, last=last)
            self._report.findings.append(finding)

    def _found(self, number: int, problem: str, seq: int | None = None) -> None:
        finding = Finding(problem=problem, writer=self._writer.uid, segment=number, first=seq, last=seq)
        self._report.findings.append(finding)
