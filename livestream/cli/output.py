"""How the commands say things: JSON for scripts, sizes and times for people."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from livestream.events import Json

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def print_json(value: Json) -> None:
    """Print one JSON document; structs become objects."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def human_bytes(count: float) -> str:
    """Tell a size in powers of 1,000: ``3.1 MB``."""
    for unit in _UNITS[:-1]:
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


def human_s(seconds: float) -> str:
    """Tell a length of time in its two largest units: ``2 h 05 min``."""
    seconds = max(seconds, 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S:02d} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02d} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def human_moment(epoch_s: float) -> str:
    """Tell a moment as the user's clock shows it."""
    return datetime.fromtimestamp(epoch_s, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def counted(count: int, noun: str) -> str:
    """Tell a number of things: ``1 event``, ``1,204 events``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def reasons(counts: dict[str, int]) -> str:
    """Tell counts by reason: ``quota 12, disk 3``."""
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()) if count)


def tell(text: str) -> None:
    """Say something about the work on standard error: standard output is for results."""
    click.echo(text, err=True)


def is_drawn() -> bool:
    """Whether progress may be redrawn in place."""
    return sys.stderr.isatty()
