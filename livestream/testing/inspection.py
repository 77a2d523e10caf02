"""What a fake Studio makes of one post before anybody scripts it: what it holds, and the answer that it deserves."""

from __future__ import annotations

import binascii
import hashlib
import re
import zlib
from collections.abc import Collection, Mapping

import msgspec
import orjson

from livestream.events import Experiment, Json, JsonObject
from livestream.pipeline.chunk import Limits
from livestream.testing.experiment import parse_backlog, parse_losses
from livestream.testing.ledger import Ledger
from livestream.testing.marks import UpdateHeader
from livestream.testing.rules import check_shape, check_sizes

HARD_LIMIT_BYTES = 30_000_000  # the hosted Studio answers 413 above it; clients keep to 29 MB
_GZIP_WINDOW = 31  # zlib's way to say gzip
_EXTENSION = ("livestream-update", "livestream-backlog", "livestream-losses", "livestream-repair")


class House(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one Studio. ``speaks_livestream`` is the profile; ``check_order`` wants start, data, done."""

    tokens: Collection[str]
    limits: Limits
    hard_limit_bytes: int
    speaks_livestream: bool
    check_order: bool


class Received(msgspec.Struct, frozen=True):
    """A request as it came off the socket; ``payload`` is ``None`` where it was too large to keep."""

    headers: Mapping[str, str]
    payload: bytes | None
    wire_size: int


class Inspection(msgspec.Struct, kw_only=True):
    """What a post holds (see `Entry` for the fields), and the status and detail that it deserves."""

    status: int = 200
    detail: str = ""
    problems: list[str] = []
    body: JsonObject | None = None
    images: dict[str, bytes] = {}
    kind: str | None = None
    experiment: Experiment | None = None
    step: int | None = None
    rows: int = 0
    size: int = 0
    digest: str = ""
    update: UpdateHeader | None = None
    repair: bool = False
    repeat: bool = False

    @property
    def sound(self) -> bool:
        """Whether the update could be stored."""
        return self.status == 200

    def refuse(self, status: int, detail: str) -> None:
        """Settle the answer."""
        self.status, self.detail = status, detail


def inspect(received: Received, house: House, ledger: Ledger) -> Inspection:
    """Judge one post by the rules of the house and by what the ledger holds."""
    found = Inspection(repair=received.headers.get("livestream-repair") == "1", size=received.wire_size)
    if token_of(received.headers) not in house.tokens:
        found.refuse(401, "Invalid token.")
        return found
    payload = unpack(received, house, found)
    if payload is None:
        return found
    found.size, found.digest = len(payload), hashlib.blake2b(payload, digest_size=16).hexdigest()
    _decode(payload, received.headers, found)
    _read_headers(received.headers, house, found)
    if found.body is not None and not found.problems:
        found.problems += check_sizes(found.body, found.size, house.limits)
        _read_images(found)
        _place(house, ledger, found)
    if found.problems:
        found.refuse(413 if found.size > house.limits.max_request_bytes else 400, "; ".join(found.problems[:5]))
    return found


def token_of(headers: Mapping[str, str]) -> str | None:
    """Give the token of ``Authorization: token X``."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme == "token" else None


def unpack(received: Received, house: House, found: Inspection) -> bytes | None:
    """Give the body as it was before compression; ``None``, and why in ``found``, where that is not to be had."""
    encoding = received.headers.get("content-encoding", "")
    payload = received.payload
    if payload is not None and encoding == "gzip" and house.speaks_livestream:
        payload = _gunzip(payload, house.hard_limit_bytes, found)
    elif encoding:
        found.problems.append(f"Content-Encoding: {encoding} was never advertised")
        found.refuse(415, found.problems[-1])
        return None
    if found.sound and payload is None:
        found.refuse(413, f"Request body exceeds {house.hard_limit_bytes} bytes.")
    return payload


def _gunzip(payload: bytes, limit: int, found: Inspection) -> bytes | None:
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = unpacker.decompress(payload, limit + 1)
    except zlib.error as error:
        found.problems.append(f"body: not gzip: {error}")
        found.refuse(400, found.problems[-1])
        return None
    found.size = len(content)
    if found.size > limit:
        return None
    if not unpacker.eof:
        found.problems.append("body: not gzip: it ends too early")
        found.refuse(400, found.problems[-1])
    return content if found.sound else None


def _decode(payload: bytes, headers: Mapping[str, str], found: Inspection) -> None:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        found.problems.append(f"Content-Type: expected application/json, got {content_type or 'none'}")
    try:
        body: Json = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        hint = " (NaN and Infinity are no JSON)" if re.search(rb"\b(NaN|Infinity)\b", payload) else ""
        found.problems.append(f"body: not JSON: {error}{hint}")
        return
    found.problems += check_shape(body)
    if not isinstance(body, dict):
        return
    found.body = body
    if not found.problems:
        found.kind, found.step = body["type"], body.get("step")
        found.experiment = Experiment(repo_url=body["repo_url"], baseline_sha=body["baseline_sha"], name=body["name"])
        found.rows = sum(len(plot["data"]) for plot in body.get("plots", {}).values() if "data" in plot)


def _read_headers(headers: Mapping[str, str], house: House, found: Inspection) -> None:
    for name in _EXTENSION:
        value = headers.get(name)
        if value is None:
            continue
        if not house.speaks_livestream:
            found.problems.append(f"{name}: this Studio never advertised it")
            continue
        try:
            _read_header(name, value, found)
        except ValueError as error:
            found.problems.append(f"{name}: {value!r}: {error}")


def _read_header(name: str, value: str, found: Inspection) -> None:
    match name:
        case "livestream-update":
            found.update = UpdateHeader.parse(value)
        case "livestream-backlog":
            parse_backlog(value)
        case "livestream-losses":
            parse_losses(value)
        case _ if value != "1":
            raise ValueError("expected 1")


def _read_images(found: Inspection) -> None:
    plots: JsonObject = found.body.get("plots", {}) if found.body is not None else {}
    for path, plot in plots.items():
        if "image" not in plot:
            continue
        try:
            found.images[path] = binascii.a2b_base64(plot["image"], strict_mode=True)
        except ValueError as error:
            found.problems.append(f"plots[{path!r}].image: not base64: {error}")


def _place(house: House, ledger: Ledger, found: Inspection) -> None:
    """Find out whether it came before, and whether it comes in order."""
    if found.experiment is None or found.kind is None:
        return
    known = ledger.experiments.get(found.experiment)
    if found.update is not None:
        found.repeat = ledger.marks.is_repeat(found.update, repair=found.repair)
    elif known is not None:
        found.repeat = known.knows(found.kind, found.digest)
    if found.repeat or found.repair or not house.check_order:
        return
    if known is not None:
        problem = known.order_problem(found.kind)
    else:
        problem = None if found.kind == "start" else f"type: {found.kind} before start"
    if problem is not None:
        found.problems.append(problem)
