"""``livestream queue``: look into the spool, verify it, export it, decide about dead letters, clean up."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click
import msgspec

from livestream.cli.contents import SegmentFacts, event_of, stored
from livestream.cli.exits import CommandError
from livestream.cli.output import human_bytes, human_moment, human_s, print_json
from livestream.cli.queue_export import export
from livestream.cli.queue_gc import gc
from livestream.cli.queue_letters import all_letters, drop, retry
from livestream.cli.queue_verify import verify
from livestream.cli.spools import existing, json_option, look, spool_option
from livestream.cli.survey import SpoolFacts, WriterFacts, survey
from livestream.cli.tables import print_table
from livestream.errors import CorruptSpoolError
from livestream.events import Experiment, Json, JsonObject
from livestream.spool.blobs import read_blob
from livestream.spool.dead_blobs import read_dead_blob
from livestream.spool.rows import DeadLetter

SHOWN_TEXT: int = 200
"""Characters of a text that `show` prints; what is longer is an image in base64, or might as well be one."""

SHOWN_ROWS: int = 10


_HELP = """Look into the spool, verify it, export it, decide about dead letters, clean up.

\b
Examples:
    livestream queue ls
    livestream queue verify
"""


@click.group(help=_HELP)
def queue() -> None:
    """Look into the spool, verify it, export it, decide about dead letters, clean up."""


_LS_HELP = """List the writers and their segments, or the dead letters.

A writer is one process that recorded; a segment is one file of its queue. A queue's numbers up to "cursor" are
dealt with. A dead letter is an event that the Studio will not take as it is.

\b
Examples:
    livestream queue ls
    livestream queue ls --dead --json | jq '.letters[].id'
"""


@queue.command(help=_LS_HELP)
@click.option("--dead", is_flag=True, help="List the dead letters.")
@spool_option
@json_option
def ls(spool: Path | None, *, dead: bool, as_json: bool) -> None:
    """List the writers and their segments, or the dead letters."""
    path = existing(spool)
    if dead:
        _list_letters(path, as_json=as_json)
        return
    facts = survey(path)
    if as_json:
        print_json({"spool": str(path), "writers": [_writer(writer) for writer in facts.writers if not writer.gone]})
    else:
        _list_writers(facts)


def _writer(facts: WriterFacts) -> JsonObject:
    fields: JsonObject = msgspec.to_builtins(facts)
    return fields


def _list_writers(facts: SpoolFacts) -> None:
    present = [writer for writer in facts.writers if not writer.gone]
    if not present:
        click.echo(f"No writer's folder is left in {facts.path}: everything is delivered.")
        return
    rows = []
    for writer in present:
        rows.append(_writer_row(writer))
        rows += [_segment_row(segment, writer.cursor) for segment in writer.segments]
    print_table(("writer", "experiment", "state", ">numbers", ">cursor", ">size", "note"), rows)


def _writer_row(writer: WriterFacts) -> tuple[str, ...]:
    name = writer.experiment.name if writer.experiment else "?"
    role = "" if writer.info is None or writer.info.role == "primary" else " (contributor)"
    state = "alive" if writer.alive else "finished" if writer.finished else "ended"
    return (
        writer.uid,
        f"{name}{role}",
        state,
        f"1-{writer.books.accepted}" if writer.books.accepted else "-",
        str(writer.cursor),
        human_bytes(writer.waiting.bytes) if writer.books.queued else "-",
        writer.note,
    )


def _segment_row(segment: SegmentFacts, cursor: int) -> tuple[str, ...]:
    empty = segment.first is None or segment.last is None or segment.last < segment.first
    delivered = not empty and (segment.last or 0) <= cursor
    return (
        f"  {segment.number:08d}.db",
        "",
        "sealed" if segment.sealed else "open",
        "-" if empty else f"{segment.first}-{segment.last}",
        "",
        human_bytes(segment.bytes),
        segment.note or ("delivered" if delivered else ""),
    )


def _list_letters(path: Path, *, as_json: bool) -> None:
    state = look(path)
    try:
        letters = list(all_letters(state)) if state is not None else []
        names = {row.id: row.experiment for row in state.experiments()} if state is not None else {}
    finally:
        if state is not None:
            state.close()
    if as_json:
        print_json({"spool": str(path), "letters": [_letter(letter, names) for letter in letters]})
    elif not letters:
        click.echo("There are no dead letters.")
    else:
        rows = [_letter_row(letter, names.get(letter.experiment_id)) for letter in letters]
        print_table((">id", "kind", "experiment", "writer", ">event", ">size", "since", "reason"), rows)
        click.echo("\n`livestream queue retry ID` sends one again, `livestream queue drop ID` gives its content up.")


def _letter(letter: DeadLetter, names: dict[int, Experiment]) -> JsonObject:
    fields: JsonObject = msgspec.to_builtins(letter)
    del fields["event"], fields["experiment_id"]
    name = names.get(letter.experiment_id)
    return {**fields, "experiment": msgspec.to_builtins(name) if name else None}


def _letter_row(letter: DeadLetter, experiment: Experiment | None) -> tuple[str, ...]:
    due = ""
    if letter.kind == "parked" and letter.retry_at is not None:
        due = f" (again in {human_s(letter.retry_at - time.time())})"
    last = letter.seq + letter.count - 1
    return (
        str(letter.id),
        f"{letter.kind}{due}",
        experiment.name if experiment else "?",
        letter.writer,
        str(letter.seq) if last <= letter.seq else f"{letter.seq}-{last}",
        human_bytes(letter.size),
        human_moment(letter.at),
        letter.reason,
    )


_SHOW_HELP = """Show a writer, or one of its events.

WRITER is its name in `livestream queue ls`, or the beginning of it; SEQ is the event's number. Images and long
texts are shortened; --json prints everything.

\b
Examples:
    livestream queue show w0193f2
    livestream queue show w0193f2 17
"""


@queue.command(help=_SHOW_HELP)
@click.argument("writer")
@click.argument("seq", required=False, type=click.IntRange(min=1))
@spool_option
@json_option
def show(writer: str, seq: int | None, spool: Path | None, *, as_json: bool) -> None:
    """Show a writer, or one of its events."""
    path = existing(spool)
    found = _find(survey(path), writer)
    if seq is None:
        print_json(_writer(found))
        return
    event = _event(path, found, seq)
    print_json(event if as_json else shorten(event))


def _find(facts: SpoolFacts, wanted: str) -> WriterFacts:
    matching = [writer for writer in facts.writers if writer.uid.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    problem = "no writer is" if not matching else f"{len(matching)} writers are"
    raise CommandError(f"{problem} named {wanted}...: see `livestream queue ls`")


def _event(path: Path, writer: WriterFacts, seq: int) -> JsonObject:
    shared = writer.info.shared if writer.info is not None else False
    row = next(stored(path / writer.uid, seq - 1, shared=shared), None)
    if row is not None and row.seq == seq:
        fields: JsonObject = {"writer": writer.uid, "seq": seq, "segment": row.segment or "journal"}
        try:
            return {**fields, "event": msgspec.to_builtins(event_of(row.body, partial(read_blob, path / writer.uid)))}
        except CorruptSpoolError as error:
            return {**fields, "problem": str(error), "body": row.body.decode(errors="replace")}
    letter = _letter_of(path, writer.uid, seq)
    if letter is not None:
        return letter
    what = "delivered, and removed" if seq <= writer.cursor else "not in the spool"
    raise CommandError(f"event {seq} of {writer.uid} is {what}")


def _letter_of(path: Path, uid: str, seq: int) -> JsonObject | None:
    state = look(path)
    if state is None:
        return None
    try:
        for letter in all_letters(state, writer=uid):
            if letter.seq <= seq < letter.seq + max(letter.count, 1):
                whole = state.letters.show(letter.id)
                body = whole.event if whole is not None and whole.event is not None else b"null"
                fields: JsonObject = {"writer": uid, "seq": seq, "letter": letter.id, "reason": letter.reason}
                try:
                    event = event_of(body, partial(read_dead_blob, path))
                except CorruptSpoolError:
                    return {**fields, "body": body.decode(errors="replace")}
                return {**fields, "event": msgspec.to_builtins(event)}
    finally:
        state.close()
    return None


def shorten(value: Json) -> Json:
    """Cut long texts and long lists of rows, saying how long they are."""
    if isinstance(value, str) and len(value) > SHOWN_TEXT:
        return f"{value[:40]}... ({len(value):,} characters)"
    if isinstance(value, list):
        rest = len(value) - SHOWN_ROWS
        return [shorten(item) for item in value[:SHOWN_ROWS]] + ([f"... ({rest:,} more)"] if rest > 0 else [])
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    return value


for _command in (verify, export, retry, drop, gc):
    queue.add_command(_command)
