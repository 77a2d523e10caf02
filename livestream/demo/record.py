"""What a training handed over, in its own words, so that it can be compared with what arrived, also after a SIGKILL.

A file of JSON lines: before a call of ``emit`` what it is about to hand over, after it ``true`` where that returned a
number, ``false`` where it was refused. Each line is one ``write``, which no kill takes back. So of a training that was
killed at most one event is uncertain, and it is known which: the one in flight.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from livestream.events import Json, JsonObject

Point = tuple[str, int, float | str]
"""Series, step, value."""
Picture = tuple[str, int, str]
"""File name, step, SHA-256."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of ``emit``.

    Attributes:
        images: SHA-256 by name.
        plots: Rows by name.
    """

    step: int
    metrics: dict[str, float]
    params: JsonObject = {}
    images: dict[str, str] = {}
    plots: dict[str, list[JsonObject]] = {}


class Recorder:
    """The training's side of it."""

    def __init__(self, path: Path) -> None:
        """Begin a new file; each line is written at once."""
        self._file = path.open("wb", buffering=0)

    def announce(self, event: Event) -> None:
        """Note what is about to be handed over."""
        self._write(event)

    def settle(self, *, accepted: bool) -> None:
        """Note what became of it."""
        self._write(accepted)

    def close(self) -> None:
        """Nothing follows."""
        self._file.close()

    def _write(self, value: Event | bool) -> None:  # noqa: FBT001 - a line of the file, not an option
        self._file.write(msgspec.json.encode(value) + b"\n")


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """What a training handed over.

    Attributes:
        accepted: What ``emit`` returned a number for.
        in_flight: What it had not returned for when the training was killed.
        refused: Calls that returned none.
    """

    accepted: list[Event]
    in_flight: Event | None = None
    refused: int = 0

    def with_what_was_in_flight(self) -> Emitted:
        """Count the event in flight as accepted."""
        return Emitted(accepted=[*self.accepted, *filter(None, [self.in_flight])], refused=self.refused)

    @property
    def points(self) -> list[Point]:
        """Every number."""
        return [(name, event.step, value) for event in self.accepted for name, value in event.metrics.items()]

    @property
    def pictures(self) -> list[Picture]:
        """Every image."""
        return [(name, event.step, digest) for event in self.accepted for name, digest in event.images.items()]

    @property
    def params(self) -> dict[str, Json]:
        """Every parameter, by its dotted path."""
        return {path: value for event in self.accepted for path, value in leaves(event.params)}

    @property
    def plots(self) -> dict[str, list[JsonObject]]:
        """The newest rows of each plot: a snapshot replaces the one before it."""
        return {name: rows for event in self.accepted for name, rows in event.plots.items()}


def read_record(path: Path) -> Emitted:
    """Read what a training noted; a last line without an end was never written whole, so nothing of it was emitted.

    Raises:
        OSError: There is no such file.
    """
    accepted: list[Event] = []
    refused = 0
    announced: Event | None = None
    decoder: msgspec.json.Decoder[Event | bool] = msgspec.json.Decoder(Event | bool)
    for line in path.read_bytes().split(b"\n")[:-1]:
        said = decoder.decode(line)
        if isinstance(said, Event):
            announced = said
            continue
        if said and announced is not None:
            accepted.append(announced)
        refused += not said
        announced = None
    return Emitted(accepted=accepted, in_flight=announced, refused=refused)


def leaves(tree: JsonObject, above: str = "") -> Iterator[tuple[str, Json]]:
    """Give the values of nested dictionaries by their dotted paths."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name, value
