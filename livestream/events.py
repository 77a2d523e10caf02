"""What travels: the events a writer stores, and the experiment they belong to.

An *event* is what one call of ``emit()`` means. Metrics and parameters in it are deltas; the daemon merges them into
the whole dictionaries that Studio's ``api/live`` wants (see ``livestream.pipeline.coalesce``). Events are JSON in the
spool: a person with ``sqlite3`` can read them, and every version of livestream can decode them, because unknown fields
are ignored and new ones have defaults.

Two shapes of content stand beside each other in an event:

* the *short form* (``metrics``, ``params``, ``images``, ``plots``), named as the training code named it; the writer's
  ``directory`` turns the names into paths on the wire;
* ``files``, whole stock files keyed by path, as ``post_live_metrics`` and relayed clients give them.

Encoding happens in the training process (``orjson``, see ``livestream.run``), decoding here with msgspec, whose errors
name the path of the bad field.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Json: TypeAlias = Any
"""A value that JSON can hold; only the wire's free-form dictionaries use it."""

JsonObject: TypeAlias = dict[str, Any]
Scalar: TypeAlias = int | float | str | bool
"""A metric. NaN and the infinities are the strings ``"nan"``, ``"inf"`` and ``"-inf"``, as DVCLive sends them."""

ImageFormat: TypeAlias = Literal["png", "jpeg", "gif", "webp", "raw"]

# gc=False below: what is decoded from JSON holds no cycles, and reading a backlog is a third faster for it.

NO_COMMIT = "0" * 40
"""The baseline of an experiment outside Git (DVCLive's convention)."""


class Experiment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The identity of an experiment: Studio knows it by these three."""

    repo_url: str
    baseline_sha: str
    name: str


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One entry of the wire's ``errors``: why a run failed."""

    cls: str
    text: str


class Image(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One image of an event: its bytes are inline (``data``) or in the writer's ``blobs/`` (``blob``).

    Attributes:
        format: ``raw`` means uint8 pixels, row by row, that the daemon encodes as PNG.
        size: Bytes of the content as stored.
        blob: The name of its file: its sha256 in hex and a suffix of its own.
        data: The content in base64, where it is small.
        height: Raw pixels only, as ``width`` and ``channels`` (1, 2, 3 or 4).
    """

    format: ImageFormat
    size: int
    blob: str | None = None
    data: str | None = None
    height: int = 0
    width: int = 0
    channels: int = 0


class Plot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A custom plot: a snapshot of all its rows, which replaces the one before it.

    Attributes:
        rows: What is drawn, a dictionary a point.
        props: DVC's template and its settings.
        folder: Where DVCLive keeps its file, below ``plots/``.
    """

    rows: list[JsonObject]
    props: JsonObject = {}
    folder: Literal["custom", "sklearn"] = "custom"


class Files(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whole stock files by path, in the shapes of the wire.

    ``metrics`` holds ``{path: {"data": {...}}}``, ``params`` ``{path: {...}}``, ``plots``
    ``{path: {"data": [rows]}}`` or ``{path: {"image": base64}}``, each with an optional ``props`` or ``error``.
    """

    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    plots: dict[str, JsonObject] = {}


class Start(msgspec.Struct, tag="start", tag_field="type", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A primary writer opens, or reopens, its experiment."""

    time: float
    message: str | None = None
    subdir: str | None = None
    params: JsonObject = {}
    machine: JsonObject = {}
    files: Files | None = None


class Data(msgspec.Struct, tag="data", tag_field="type", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One step's news.

    Attributes:
        time: Seconds since the epoch at ``emit()``.
        step: The training step.
        metrics: Flat names (``train/loss``) to scalars; a delta.
        params: Top-level names to values; a delta.
        images: File names below ``plots/images``.
        plots: Names of custom plots, without ``.json``.
        timestamp: Milliseconds since the epoch, put beside ``step`` in this event's rows where the caller gave one.
    """

    time: float
    step: int
    metrics: dict[str, Scalar] = {}
    params: JsonObject = {}
    images: dict[str, Image] = {}
    plots: dict[str, Plot] = {}
    timestamp: int | None = None
    machine: JsonObject = {}
    files: Files | None = None


class Done(msgspec.Struct, tag="done", tag_field="type", frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A primary writer ends its experiment; ``errors`` says that it failed, and how."""

    time: float
    errors: list[Problem] = []
    experiment_rev: str | None = None
    params: JsonObject = {}
    machine: JsonObject = {}
    files: Files | None = None


class Spilled(msgspec.Struct, tag="spilled", tag_field="type", frozen=True, kw_only=True, gc=False):
    """Stands in a segment for an event of 64 KiB or more, whose JSON is a blob."""

    blob: str
    size: int


Event: TypeAlias = Start | Data | Done

_DECODER: msgspec.json.Decoder[Event | Spilled] = msgspec.json.Decoder(Start | Data | Done | Spilled)


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in its writer's queue. ``size`` is the bytes of its JSON."""

    seq: int
    event: Event
    size: int


def decode(payload: bytes) -> Event | Spilled:
    """Decode one stored event.

    Raises:
        msgspec.DecodeError: The bytes are not JSON, or (``ValidationError``) not an event; the text names the path.
    """
    return _DECODER.decode(payload)


def encode(event: Event | Spilled) -> bytes:
    """Encode one event as it is stored. NaN must already be text: JSON has none."""
    return msgspec.json.encode(event)
