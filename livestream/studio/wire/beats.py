"""Heartbeats of our daemon: ``{"beats": [...]}``, all live writers of one node that go to this Studio."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from livestream.studio.update import Backlog, Beat, Identity
from livestream.studio.wire.fields import LARGEST_INT, WireError, check_key, check_sha, locate, read
from livestream.studio.wire.headers import MAX_REASONS, check_writer

MAX_BEATS: Final = 1_000
"""Of one body."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INT)]


class BeatEntry(msgspec.Struct, frozen=True):
    """One live writer, as it comes."""

    repo_url: str
    baseline_sha: str
    name: str
    writer: str
    rows: _Count = 0
    bytes: _Count = 0
    oldest_s: Annotated[float, msgspec.Meta(ge=0, le=1e15)] = 0.0
    losses: Annotated[dict[str, _Count], msgspec.Meta(max_length=MAX_REASONS)] = {}


class BeatsBody(msgspec.Struct, frozen=True):
    """The body of ``POST /api/live/beats``."""

    beats: Annotated[list[BeatEntry], msgspec.Meta(max_length=MAX_BEATS)]


_BODY: Final = msgspec.json.Decoder(BeatsBody)


def decode_beats(payload: bytes, received_us: int) -> list[Beat]:
    """Decode a body of beats; ``received_us`` is when it came, microseconds since the epoch.

    Raises:
        WireError: The first thing that is wrong with it.
    """
    body = read(_BODY, payload, "body")
    return [_beat(entry, f"beats[{index}]", received_us) for index, entry in enumerate(body.beats)]


def _beat(entry: BeatEntry, path: str, received_us: int) -> Beat:
    repo_url, repository = locate(check_key(entry.repo_url, f"{path}.repo_url"), f"{path}.repo_url")
    if not check_writer(entry.writer):
        raise WireError(f"{path}.writer", "expected the id of a writer")
    for reason in entry.losses:
        check_key(reason, f"{path}.losses")
    return Beat(
        identity=Identity(
            repository=repository,
            repo_url=repo_url,
            baseline_sha=check_sha(entry.baseline_sha, f"{path}.baseline_sha"),
            name=check_key(entry.name, f"{path}.name"),
        ),
        writer=entry.writer,
        received_us=received_us,
        backlog=Backlog(entry.rows, entry.bytes, entry.oldest_s),
        losses=entry.losses,
    )
