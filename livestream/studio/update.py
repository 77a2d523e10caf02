"""What a post means, as values: an `Update` is one body of ``api/live``, decoded, checked and sorted by kind.

A body's plots become three kinds of content (DESIGN section 5):

* `Points`: rows with a whole-numbered step and one value, from which charts are drawn. They are keyed, so that the
  same row is stored once however often it is sent.
* `Picture`: an image at a path and a step.
* `Snapshot`: any other plot, kept whole; the newest replaces the one before it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from livestream.events import JsonObject, Problem

Kind: TypeAlias = Literal["start", "data", "done"]
Value: TypeAlias = int | float | str
"""A point's value: a finite or infinite number, or the text ``"nan"`` (SQLite stores no NaN)."""


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which experiment: as the client says it, and the repository in its normal form.

    Attributes:
        repository: `repositories.normalise` of the URL; two spellings of one repository are equal here.
        repo_url: As sent, without credentials.
    """

    repository: str
    repo_url: str
    baseline_sha: str
    name: str


class Points(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Rows of one column of one plot, in the order of the body.

    Attributes:
        path: The plot's path, for example ``dvclive/plots/metrics/train/loss.tsv``.
        column: The value's name in the rows, for example ``loss``.
        steps: One a row.
        values: One a row.
        timestamps: Milliseconds since the epoch, one a row (0 where a row has none), or empty where none has one.
    """

    path: str
    column: str
    steps: list[int]
    values: list[Value]
    timestamps: list[int] = []


class Picture(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An image: its bytes as they were before base64; ``media_type`` by its first bytes, never by its name."""

    path: str
    step: int
    content: bytes
    media_type: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A plot kept whole: its rows as the JSON that was sent, and its props (template, x, y, title)."""

    path: str
    rows: bytes
    props: JsonObject = {}


class UpdateKey(msgspec.Struct, frozen=True, gc=False):
    """The value of ``Livestream-Update``: events ``first`` to ``last`` of a writer; ``part`` counts from 1."""

    writer: str
    first: int
    last: int
    part: int
    parts: int


class Backlog(msgspec.Struct, frozen=True, gc=False):
    """The value of ``Livestream-Backlog``: what still waits on the node."""

    rows: int = 0
    bytes: int = 0
    oldest_s: float = 0.0


class Update(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One body. Dictionaries are keyed by file path and hold the whole file's content.

    Attributes:
        step: On data only.
        of: Of a slice of a large body that comes before the slice that says all the rest: the kind of that body.
        extra: Unknown fields of the body, kept as they came.
        plot_props: Props and errors of plots that became `Points`, by path.
    """

    kind: Kind
    identity: Identity
    client: str = ""
    step: int | None = None
    of: Kind | None = None
    message: str | None = None
    subdir: str | None = None
    experiment_rev: str | None = None
    params: dict[str, JsonObject] = {}
    metrics: dict[str, JsonObject] = {}
    errors: list[Problem] = []
    machine: JsonObject = {}
    env: JsonObject = {}
    extra: JsonObject = {}
    points: list[Points] = []
    pictures: list[Picture] = []
    snapshots: list[Snapshot] = []
    plot_props: dict[str, JsonObject] = {}


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An update with what its request said about it.

    Attributes:
        received_us: When it came, microseconds since the epoch; the ingest makes it rise strictly.
        digest: sha256 of the body, by which a repeated `start` without a key is known.
        key: ``None`` from stock clients.
        backlog: ``None`` where the client does not tell; a keyed update without the header has none.
        losses: Reason to count, as the writer tells it (totals, not deltas).
        repair: A dead letter tried again: it passes the mark, and carries no metrics or params.
        last_slice: False for all but the last slice of a large body: its key counts only when all of it is in.
    """

    update: Update
    received_us: int
    digest: bytes
    key: UpdateKey | None = None
    backlog: Backlog | None = None
    losses: dict[str, int] = {}
    repair: bool = False
    last_slice: bool = True


class Beat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A writer is alive, and this waits on its node."""

    identity: Identity
    writer: str
    received_us: int
    backlog: Backlog = Backlog()
    losses: dict[str, int] = {}
