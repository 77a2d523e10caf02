"""Our extension of the wire travels in headers (``docs/wire.md``); bodies stay stock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from livestream.studio.update import Backlog, UpdateKey
from livestream.studio.wire.fields import LARGEST_INT, WireError

UPDATE: Final = "Livestream-Update"
BACKLOG: Final = "Livestream-Backlog"
LOSSES: Final = "Livestream-Losses"
REPAIR: Final = "Livestream-Repair"

MAX_WRITER_CHARS: Final = 200
MAX_PARTS: Final = 100_000
"""Of one update; which of them are in is remembered until all are."""
MAX_REASONS: Final = 100

_COUNT: Final = re.compile("[0-9]{1,19}")
_SECONDS: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_REASON: Final = re.compile(r"[!-+\--<>-~][ -+\--<>-~]{0,199}")  # printable ASCII but comma and equals sign


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers say; all is absent from stock clients."""

    key: UpdateKey | None = None
    backlog: Backlog | None = None
    losses: dict[str, int] = {}
    repair: bool = False


def parse(headers: Mapping[str, str]) -> Extension:
    """Read the headers; ``headers`` knows names in any case, as aiohttp's do.

    Raises:
        WireError: One of them cannot be read; it names the header.
    """
    update, backlog = headers.get(UPDATE), headers.get(BACKLOG)
    return Extension(
        key=None if update is None else parse_update(update),
        backlog=None if backlog is None else parse_backlog(backlog),
        losses=parse_losses(headers.get(LOSSES, "")),
        repair=_parse_repair(headers.get(REPAIR, "0")),
    )


def parse_update(text: str) -> UpdateKey:
    """Read ``writer/first/last/part/parts``.

    Raises:
        WireError: It is something else, or its numbers make no sense.
    """
    pieces = text.strip().split("/")
    if len(pieces) != 5 or not check_writer(pieces[0]) or not all(map(_is_count, pieces[1:])):
        raise WireError(UPDATE, "expected writer/first/last/part/parts")
    key = UpdateKey(pieces[0], *map(int, pieces[1:]))
    if not (1 <= key.first <= key.last and 1 <= key.part <= key.parts <= MAX_PARTS):
        raise WireError(UPDATE, f"expected 1 <= first <= last and 1 <= part <= parts <= {MAX_PARTS}")
    return key


def check_writer(writer: str) -> bool:
    """Whether a text can be the id of a writer."""
    return 0 < len(writer) <= MAX_WRITER_CHARS and writer.isascii() and writer.isprintable()


def parse_backlog(text: str) -> Backlog:
    """Read ``rows,bytes,oldest_s``.

    Raises:
        WireError: It is something else.
    """
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) != 3 or not all(map(_is_count, pieces[:2])) or not _SECONDS.fullmatch(pieces[2]):
        raise WireError(BACKLOG, "expected rows,bytes,oldest_s")
    return Backlog(int(pieces[0]), int(pieces[1]), float(pieces[2]))


def parse_losses(text: str) -> dict[str, int]:
    """Read ``reason=count,...``.

    Raises:
        WireError: It is something else.
    """
    losses: dict[str, int] = {}
    for piece in filter(None, map(str.strip, text.split(","))):
        reason, _, count = piece.partition("=")
        if not _REASON.fullmatch(reason) or not _is_count(count):
            raise WireError(LOSSES, "expected reason=count,...")
        losses[reason] = int(count)
    if len(losses) > MAX_REASONS:
        raise WireError(LOSSES, f"{len(losses)} reasons; accepted: {MAX_REASONS} at most")
    return losses


def _parse_repair(text: str) -> bool:
    if text not in {"0", "1"}:
        raise WireError(REPAIR, "expected 1")
    return text == "1"


def _is_count(text: str) -> bool:
    return bool(_COUNT.fullmatch(text)) and int(text) <= LARGEST_INT
