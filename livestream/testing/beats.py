"""Heartbeats as a fake Studio hears them: ``POST api/live/beats`` says which writers live, and what waits for it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from livestream.events import Experiment
from livestream.testing.inspection import House, Inspection, Received, token_of, unpack
from livestream.testing.ledger import Heartbeat, now

MAX_BEATS = 1_000  # in one request

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Beat(msgspec.Struct, forbid_unknown_fields=True):
    repo_url: _Text
    baseline_sha: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")]
    name: _Text
    writer: _Text
    rows: _Count
    bytes: _Count
    oldest_s: Annotated[float, msgspec.Meta(ge=0)]
    losses: dict[str, _Count]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    beats: Annotated[list[_Beat], msgspec.Meta(min_length=1, max_length=MAX_BEATS)]


def hear(received: Received, house: House, token_digest: str, *, wanted: bool) -> tuple[Inspection, list[Heartbeat]]:
    """Judge one request of heartbeats; whoever sends them to a Studio that does not want them breaks a rule."""
    found = Inspection(size=received.wire_size)
    if token_of(received.headers) not in house.tokens:
        found.refuse(401, "Invalid token.")
        return found, []
    if not wanted:
        found.problems.append("heartbeats: this Studio never advertised them")
        found.refuse(404, "Not found.")
        return found, []
    payload = unpack(received, house, found)
    if payload is None:
        return found, []
    try:
        body = msgspec.json.decode(payload, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        found.problems.append(f"heartbeats: {error}")
        found.refuse(400, found.problems[-1])
        return found, []
    return found, [
        Heartbeat(
            time=now(),
            token_digest=token_digest,
            experiment=Experiment(repo_url=beat.repo_url, baseline_sha=beat.baseline_sha, name=beat.name),
            writer=beat.writer,
            rows=beat.rows,
            bytes=beat.bytes,
            oldest_s=beat.oldest_s,
            losses=beat.losses,
        )
        for beat in body.beats
    ]
