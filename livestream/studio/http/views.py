"""What the read API answers, as structs: the JSON, its OpenAPI schema and the pages' types come from here.

Two rules everywhere: times are seconds since the epoch, as floats; and a number that JSON cannot hold is the text that
DVCLive sends for it, ``"nan"``, ``"inf"`` or ``"-inf"``. What the store keeps as JSON (metrics, params, a plot's rows)
is spliced in as it lies there, never decoded.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from livestream.events import JsonObject, Problem
from livestream.studio.status import StatusKind

Number: TypeAlias = Annotated[
    int | float | Literal["nan", "inf", "-inf"],
    Meta(description='A number, or "nan", "inf" or "-inf" where JSON has none.'),
]
Time: TypeAlias = Annotated[float, Meta(description="Seconds since the epoch.")]
Files: TypeAlias = Annotated[
    Raw, Meta(description="File path to the file's whole content.", extra_json_schema={"type": "object"})
]
Anything: TypeAlias = Annotated[Raw, Meta(description="JSON as the client sent it.", extra_json_schema={})]


class StatusView(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is doing, why it is called so, and since when."""

    kind: StatusKind
    reason: str
    since: Time


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """Events ``first`` to ``last`` of a writer that never came."""

    writer: str
    first: int
    last: int


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """What has not arrived.

    Attributes:
        behind_s: Age of the oldest event that waits on a node.
        missing_events: In all gaps; ``gaps`` lists the first of them.
        losses: Events refused or trimmed on the nodes, by reason.
        writers: Processes that write with a key (ours); stock clients are none.
        heard: When anything last came, beats included.
    """

    behind_s: float
    backlog_rows: int
    backlog_bytes: int
    missing_events: int
    gaps: list[GapView]
    losses: dict[str, int]
    writers: int
    beating: int
    heard: Time


class CommitView(msgspec.Struct, frozen=True, kw_only=True):
    """The commit an experiment was started from, where its repository is attached."""

    sha: str
    short: str
    message: str
    author: str
    email_hash: str
    time: Time
    branches: list[str]
    parents: list[str]


class ExperimentView(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment.

    Attributes:
        repo_url: As its client sent it, without credentials; ``repository`` is the normal form of it.
        session: 1, and one more each time it was started anew.
        started: The newest session's start; null where none came (``dvc exp run`` sends data only).
        done: When it ended; null while it has not.
        errors: Why it failed; ``warnings`` are errors that came while it ran.
        experiment_rev: The commit that holds its results, told at its end.
        references: Git references under which it was pushed.
        commit: What it was started from; null: detached.
        projects: Ids of the projects that show it.
        deleted: When it was deleted; null: it is not.
        extra: Unknown fields that its client sent.
    """

    id: int
    name: str
    repo_url: str
    repository: str
    baseline_sha: str
    subdir: str
    status: StatusView
    delivery: DeliveryView
    step: int | None
    session: int
    created: Time
    updated: Time
    started: Time | None
    done: Time | None
    deleted: Time | None
    message: str | None
    clients: list[str]
    errors: list[Problem]
    warnings: list[Problem]
    machine: JsonObject
    env: JsonObject
    extra: JsonObject
    experiment_rev: str | None
    references: list[str]
    commit: CommitView | None
    projects: list[int]
    metrics: Files
    params: Files


class ExperimentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the table.

    Attributes:
        total: How many there are on all pages.
        change: The newest change that the answer surely holds: follow ``/api/feed`` or ``/api/changes`` from here.
        now: The server's clock, by which the statuses were judged.
    """

    experiments: list[ExperimentView]
    total: int
    offset: int
    limit: int
    change: int
    now: Time


class DeletedView(msgspec.Struct, frozen=True, kw_only=True):
    """What a deletion or its undoing did."""

    id: int
    deleted: Time | None


class SeriesView(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a plot with its summary over the newest row of every step.

    Attributes:
        name: As people know it, for example ``train/loss``.
        props: What the client sent beside the rows.
        count: Steps that have a row.
        minimum: Of finite values, as ``maximum``.
        last: The value at ``last_step``.
    """

    id: int
    path: str
    column: str
    name: str
    props: JsonObject
    count: int
    first_step: int | None
    last_step: int | None
    last: Number | None
    minimum: float | None
    maximum: float | None


class SeriesList(msgspec.Struct, frozen=True, kw_only=True):
    """All series of an experiment, by path and column."""

    series: list[SeriesView]


class ChartView(msgspec.Struct, frozen=True, kw_only=True):
    """A series drawn in at most as many points as asked for: parallel lists, rising by step.

    Attributes:
        width: Steps a bucket, a power of two; 1: raw rows, where ``minimum``, ``maximum`` and ``count`` are empty.
        steps: Of the last row in each bucket; ``last`` is its value and ``times`` when it was measured.
        total: Steps with a row in the range that was asked for.
    """

    series: int
    width: int
    steps: list[int]
    last: list[Number]
    times: list[Time]
    minimum: list[float | None]
    maximum: list[float | None]
    count: list[int]
    total: int


class NamedChartView(ChartView, frozen=True, kw_only=True):
    """A chart with the experiment and the name by which it was asked for."""

    experiment: int
    name: str
    path: str
    column: str


class ChartList(msgspec.Struct, frozen=True, kw_only=True):
    """Charts by experiment, then by name, in the order in which they were asked for; what is not there is left out."""

    charts: list[NamedChartView]


class SharedSeriesView(msgspec.Struct, frozen=True, kw_only=True):
    """A name of series.

    Attributes:
        experiments: Ids of those that have it.
        count: How many they are.
        last_step: The highest of theirs.
    """

    name: str
    experiments: list[int]
    count: int
    last_step: int | None


class SharedSeriesList(msgspec.Struct, frozen=True, kw_only=True):
    """All names of series of several experiments, sorted."""

    series: list[SharedSeriesView]


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """Images under one path, or a plot kept whole.

    Attributes:
        path: Of numbered images, such as ``plots/images/sample/12.png``, their folder.
        count: Of images.
        first_step: Of numbered images, the number.
        template: Of a plot, if it says one.
    """

    experiment: int
    path: str
    kind: Literal["image", "plot"]
    count: int
    first_step: int
    last_step: int
    template: str | None


class FileList(msgspec.Struct, frozen=True, kw_only=True):
    """Images and plots kept whole of several experiments, by experiment, then path."""

    files: list[FileView]


class ImageView(msgspec.Struct, frozen=True, kw_only=True):
    """An image; its bytes are at ``/api/images/{id}``."""

    id: int
    path: str
    step: int
    sha256: str
    media_type: str
    size: int
    received: Time


class ImageList(msgspec.Struct, frozen=True, kw_only=True):
    """Images of an experiment, by path, then step, then arrival."""

    images: list[ImageView]


class PlotView(msgspec.Struct, frozen=True, kw_only=True):
    """A plot that is no series, kept whole; ``size`` counts the bytes of its rows."""

    path: str
    step: int
    size: int
    props: JsonObject
    received: Time


class PlotList(msgspec.Struct, frozen=True, kw_only=True):
    """All plots kept whole, by path."""

    plots: list[PlotView]


class PlotContent(msgspec.Struct, frozen=True, kw_only=True):
    """A plot kept whole, with its rows."""

    plot: PlotView
    rows: Anything


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an experiment's log: started, resumed, done, warning, a change of status and the like."""

    time: Time
    kind: str
    detail: JsonObject


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The newest lines, oldest first."""

    log: list[LogView]
