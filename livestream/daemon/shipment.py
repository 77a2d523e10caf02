"""Makes requests of records: coalesce, encode, chunk, render. The pure steps are the pipeline's; files are read here.

What a request needs is loaded as late as possible: the sizes of encoded images are known from their descriptions, so a
file is read when its part is rendered and forgotten after. Raw pixels have to become PNG before their size is known, in
a thread.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from livestream.errors import CorruptSpoolError
from livestream.events import Data, Image, Record
from livestream.pipeline.chunk import Chunks, Limits, Part, chunk, render
from livestream.pipeline.coalesce import extent
from livestream.pipeline.encode import TooLargeToEncodeError, base64_capacity, base64_size, base64_text, png
from livestream.pipeline.update import Profile, Source, Update
from livestream.sinks.base import Capabilities
from livestream.spool.layout import WriterInfo

MAX_BLOB_BYTES: Final = 16_000_000
"""Images of one update, as stored: what a round holds in memory at most, unless one alone is larger."""

Load: TypeAlias = Callable[[str], bytes]

_TOO_LARGE: Final = 1 << 62


class UnreadableImageError(CorruptSpoolError):
    """The content of one image is lost; ``path`` says which."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class Plan(msgspec.Struct, frozen=True):
    """What a cut depends on beside the events: kept with it, so that a restart makes the same one."""

    limits: Limits
    profile: Profile


class Shipment(msgspec.Struct, frozen=True):
    """An update, cut into requests, with what was encoded for it."""

    update: Update
    chunks: Chunks
    encoded: dict[str, bytes]
    load: Load

    @property
    def parts(self) -> tuple[Part, ...]:
        """The requests."""
        return self.chunks.parts


def source_of(info: WriterInfo) -> Source:
    """Take what the pipeline needs from ``writer.json``."""
    return Source(
        writer=info.uid,
        repo_url=info.experiment.repo_url,
        baseline_sha=info.experiment.baseline_sha,
        name=info.experiment.name,
        directory=info.directory,
        client=info.client,
        metric_prefix=info.metric_prefix,
    )


def take(records: Sequence[Record], profile: Profile, max_events: int) -> Sequence[Record]:
    """Take the records of the next update, so that their images fit in memory."""
    count = extent(records, profile, max_events)
    total = 0
    for place, record in enumerate(records[:count]):
        total += _blob_bytes(record)
        if total > MAX_BLOB_BYTES and place > 0:
            return records[:place]
    return records[:count]


def bytes_of(records: Sequence[Record]) -> int:
    """Tell how much there is to send in these records: their JSON, and their images as stored."""
    return sum(record.size + _blob_bytes(record) for record in records)


def _blob_bytes(record: Record) -> int:
    return sum(image.size for image in record.event.images.values()) if isinstance(record.event, Data) else 0


async def build(update: Update, plan: Plan, load: Load, unreadable: frozenset[str] = frozenset()) -> Shipment:
    """Make the requests of one update.

    Args:
        load: Reads a blob by its name.
        unreadable: Paths of images whose content turned out to be lost.
    """
    encoded: dict[str, bytes] = {}
    sizes: dict[str, int] = {}
    for path, item in update.images.items():
        if path in unreadable:
            continue
        if item.image.format == "raw":
            try:
                text = await asyncio.to_thread(_encode_raw, load, item.image, plan.limits.max_plot_bytes)
            except (CorruptSpoolError, OSError, ValueError):
                continue
            sizes[path] = _TOO_LARGE if text is None else len(text)
            if text is not None:
                encoded[path] = text
        else:
            sizes[path] = base64_size(item.image.size)
    return Shipment(update, chunk(update, plan.limits, sizes), encoded, load)


async def body_of(shipment: Shipment, part: Part) -> bytes:
    """Write one request's body, loading the images it carries.

    Raises:
        UnreadableImageError: An image cannot be read.
    """
    if not part.images:
        return render(shipment.update, part, {})
    return await asyncio.to_thread(_render, shipment, part)


def _render(shipment: Shipment, part: Part) -> bytes:
    images: dict[str, bytes] = {}
    for path in part.images:
        held = shipment.encoded.get(path)
        try:
            images[path] = held if held is not None else _text_of(shipment.load, shipment.update.images[path].image)
        except (CorruptSpoolError, OSError) as error:
            raise UnreadableImageError(path, str(error)) from error
    return render(shipment.update, part, images)


def _text_of(load: Load, image: Image) -> bytes:
    if image.data is not None:
        return image.data.encode("ascii")
    return base64_text(load(image.blob or ""))


def _content_of(load: Load, image: Image) -> bytes:
    if image.data is not None:
        try:
            return base64.b64decode(image.data, validate=True)
        except binascii.Error as error:
            raise CorruptSpoolError(f"an inline image is not base64: {error}") from error
    return load(image.blob or "")


def _encode_raw(load: Load, image: Image, max_text_bytes: int) -> bytes | None:
    """Encode raw pixels; ``None`` where the PNG is over the limit."""
    content = _content_of(load, image)
    try:
        encoded = png(
            content,
            height=image.height,
            width=image.width,
            channels=image.channels,
            max_bytes=base64_capacity(max_text_bytes),
        )
    except TooLargeToEncodeError:
        return None
    return base64_text(encoded)


def plan_for(capabilities: Capabilities) -> Plan:
    """Plan by what a Studio takes."""
    return Plan(capabilities.limits, capabilities.profile)


def headers_for(update: Update, part: int, parts: int, facts: Mapping[str, str]) -> dict[str, str]:
    """Write the headers of our extension, for a Studio that advertised it.

    Args:
        part: From 1.
        facts: ``Livestream-Backlog`` and ``Livestream-Losses``, where there is something to tell.
    """
    key = f"{update.source.writer}/{update.first}/{update.last}/{part}/{parts}"
    return {"Livestream-Update": key, **facts}
