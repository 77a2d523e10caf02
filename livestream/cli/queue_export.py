"""``livestream queue export``: what is in the spool as JSON lines, for whoever has to rescue it by hand."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec

from livestream.cli.contents import Blobs, event_of, stored
from livestream.cli.exits import OK, TROUBLE
from livestream.cli.output import counted, tell
from livestream.cli.queue_letters import all_letters
from livestream.cli.spools import existing, look, spool_option
from livestream.cli.survey import WriterFacts, survey
from livestream.errors import CorruptSpoolError, SpoolError
from livestream.events import Data, Event, Experiment, Image, JsonObject
from livestream.spool.blobs import read_blob
from livestream.spool.dead_blobs import read_dead_blob
from livestream.spool.journal import checksum
from livestream.spool.state import State

_HELP = """Write events as JSON lines: one event a line, images in base64.

What is exported stays in the spool. A line that has "problem" instead of "event" stands for damaged bytes.

\b
Examples:
    livestream queue export > waiting.jsonl
    livestream queue export --dead -o dead.jsonl
    livestream queue export --all --no-images | jq .event.metrics
"""

_MODE: Final = 0o600
"""What a training records is its owner's business."""


class _Counts(msgspec.Struct):
    events: int = 0
    problems: int = 0


@click.command(help=_HELP)
@click.option("--dead", is_flag=True, help="The dead letters instead of what is queued.")
@click.option("--all", "everything", is_flag=True, help="Delivered events that are still there, too.")
@click.option("--images/--no-images", default=True, help="Put images into the lines.  [default: images]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file, made or overwritten.")
@spool_option
def export(spool: Path | None, output: Path | None, *, dead: bool, everything: bool, images: bool) -> None:
    """Write events as JSON lines."""
    path = existing(spool)
    lines = _dead_lines(path, images=images) if dead else _queued_lines(path, everything=everything, images=images)
    counts = _Counts()
    if output is None:
        _write(sys.stdout.buffer, lines, counts)
    else:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            _write(file, lines, counts)
    problems = f", {counted(counts.problems, 'damaged one')} among them" if counts.problems else ""
    tell(f"{counted(counts.events, 'event')} exported{problems}.")
    raise SystemExit(TROUBLE if counts.problems else OK)


def _write(file: BinaryIO, lines: Iterator[JsonObject], counts: _Counts) -> None:
    for line in lines:
        counts.events += 1
        counts.problems += "problem" in line
        file.write(msgspec.json.encode(line) + b"\n")
    file.flush()


def _queued_lines(path: Path, *, everything: bool, images: bool) -> Iterator[JsonObject]:
    for writer in survey(path).writers:
        if writer.info is None or not (everything or writer.books.queued):
            continue
        yield from _lines_of(path / writer.uid, writer, 0 if everything else writer.cursor, images=images)


def _lines_of(folder: Path, writer: WriterFacts, after: int, *, images: bool) -> Iterator[JsonObject]:
    shared = writer.info.shared if writer.info is not None else False
    head: JsonObject = {"writer": writer.uid, "experiment": msgspec.to_builtins(writer.experiment)}
    try:
        for row in stored(folder, after, shared=shared):
            content = _content(row.body, partial(read_blob, folder), images=images)
            if checksum(row.body, row.seq) != row.crc:
                content = {"problem": "it does not match its checksum", "body": row.body.decode(errors="replace")}
            yield {**head, "seq": row.seq, **content}
    except SpoolError as error:
        yield {**head, "problem": str(error)}


def _dead_lines(path: Path, *, images: bool) -> Iterator[JsonObject]:
    state = look(path)
    if state is None:
        return
    try:
        names = {row.id: row.experiment for row in state.experiments()}
        for listed in all_letters(state):
            if listed.size:
                yield _dead_line(path, state, listed.id, names, images=images)
    finally:
        state.close()


def _dead_line(path: Path, state: State, number: int, names: dict[int, Experiment], *, images: bool) -> JsonObject:
    letter = state.letters.show(number)
    if letter is None or letter.event is None:
        return {"letter": number, "problem": "it was settled meanwhile"}
    return {
        "writer": letter.writer,
        "experiment": msgspec.to_builtins(names.get(letter.experiment_id)),
        "seq": letter.seq,
        "letter": letter.id,
        "kind": letter.kind,
        "reason": letter.reason,
        "status": letter.status,
        "at": letter.at,
        **_content(letter.event, partial(read_dead_blob, path), images=images),
    }


def _content(body: bytes, read: Blobs, *, images: bool) -> JsonObject:
    try:
        event = event_of(body, read)
        return {"event": msgspec.to_builtins(_with_images(event, read) if images else event)}
    except CorruptSpoolError as error:
        return {"problem": str(error), "body": body.decode(errors="replace")}


def _with_images(event: Event, read: Blobs) -> Event:
    if not isinstance(event, Data) or not event.images:
        return event
    whole = {name: _inlined(image, read) for name, image in event.images.items()}
    return msgspec.structs.replace(event, images=whole)


def _inlined(image: Image, read: Blobs) -> Image:
    if image.blob is None:
        return image
    try:
        content = read(image.blob)
    except OSError as error:
        raise CorruptSpoolError(f"its image {image.blob} cannot be read: {error.strerror}") from error
    return msgspec.structs.replace(image, blob=None, data=base64.b64encode(content).decode("ascii"))
