"""What a Studio asks of its store, whatever the engine.

Calls are synchronous and belong to threads: a `Writer` to one thread of its own, each `Reader` to the thread that uses
it (`ingest.writer` and `store.readers` see to that). What a `Writer` method returns is committed and survives any kill
and a power cut. A `Reader` sees committed states only, each method one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from livestream.events import JsonObject
from livestream.studio.experiment import Facts
from livestream.studio.repositories import shows
from livestream.studio.update import Beat, Delivery, Identity, Value

ChangeKind: TypeAlias = Literal["data", "facts", "deleted", "restored", "project"]


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the change log: an experiment that a commit touched.

    Attributes:
        seq: Rises; a client that has seen it has seen everything before it.
        experiment: Its id; 0 for a change of the projects.
        time_us: Of the commit.
        metrics: What changed in the metrics files: file to a dictionary of the changed leaves only. Not stored:
            empty when read back from the log, as are ``params``, ``step`` and ``plots``.
        params: Likewise of the params files.
        step: The highest step, if it changed.
        plots: Paths of plots that got new rows, images or snapshots.
    """

    seq: int
    experiment: int
    kind: ChangeKind
    time_us: int
    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    step: int | None = None
    plots: list[str] = []


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit did.

    Attributes:
        experiments: The id of the experiment of each delivery or beat, in their order.
        changes: At most one an experiment.
        points_new: Points that were not there before.
        points_known: Points that were, resends mostly.
        repeats: Keyed deliveries at or below their writer's mark.
    """

    experiments: list[int]
    changes: list[Change]
    points_new: int = 0
    points_known: int = 0
    repeats: int = 0


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A view of one repository. ``automatic`` ones come with the first experiment; ``subdir`` "" is all of it."""

    id: int
    name: str
    repository: str
    repo_url: str
    subdir: str = ""
    automatic: bool = True
    created_us: int = 0

    def shows(self, repository: str, subdir: str) -> bool:
        """Whether it shows an experiment of a repository (in its normal form) and folder."""
        return self.repository == repository and shows(self.subdir, subdir)


class Writer(Protocol):
    """The one way to change what is stored."""

    def apply(self, deliveries: Sequence[Delivery]) -> Applied:
        """Store deliveries in their order, in one transaction."""

    def beat(self, beats: Sequence[Beat]) -> Applied:
        """Note that writers live; beats of experiments that are not known are passed over (their id is 0)."""

    def set_deleted(self, experiments: Sequence[int], *, deleted: bool, time_us: int) -> list[Change]:
        """Put up tombstones, or take them away; ids that are not known are passed over."""

    def add_project(self, project: Project) -> Project:
        """Define a project (its ``id`` is chosen here); an equal (repository, subdir) raises `ProjectExistsError`."""

    def drop_project(self, project: int) -> bool:
        """Forget a project; experiments stay. False if there is none."""

    def untold(self) -> list[Change]:
        """Give the changes of projects since the last time: `add_project` and `drop_project` return something else."""

    def note_references(
        self, repository: str, pushed: Sequence[str], removed: Sequence[str], time_us: int
    ) -> list[Change]:
        """Note Git references ``refs/exps/<2>/<38>/<name>`` that were pushed or removed, at the experiments meant."""

    def add_event(self, experiment: int, kind: str, detail: JsonObject, time_us: int) -> list[Change]:
        """Write a line to an experiment's log of events, for example a change of its status; it is a change `facts`."""

    def close(self) -> None:
        """Checkpoint and close."""


# -- what is read


class ExperimentHead(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment without its dictionaries."""

    id: int
    identity: Identity
    subdir: str
    created_us: int
    updated_us: int
    deleted_us: int | None
    facts: Facts


class ExperimentRow(ExperimentHead, frozen=True, kw_only=True):
    """An experiment as the table shows it. ``metrics`` and ``params``: JSON objects, file to content, undecoded."""

    metrics: msgspec.Raw
    params: msgspec.Raw


class Brief(ExperimentHead, frozen=True, kw_only=True):
    """What filters and the status need of an experiment; ``keys`` holds the values asked for, in their order."""

    keys: tuple[int | float | str | None, ...] = ()


class KeyPath(msgspec.Struct, frozen=True):
    """A leaf of the metrics or params: ``KeyPath("metrics", "dvclive/metrics.json", ("train", "loss"))``."""

    group: Literal["metrics", "params"]
    file: str
    names: tuple[str, ...]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a plot with its summary over the newest rows of all steps.

    Attributes:
        name: As people know it: ``train/loss`` for ``*/plots/metrics/train/loss.tsv`` with column ``loss``.
        count: Steps that have a row.
        minimum: Of finite values; None where there are none, as ``maximum``.
        last: The value at ``last_step``.
    """

    id: int
    experiment: int
    path: str
    column: str
    name: str
    props: JsonObject
    count: int
    first_step: int | None
    last_step: int | None
    last: Value | None
    minimum: float | None
    maximum: float | None


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart draws: parallel lists, rising by step.

    Attributes:
        width: Steps a bucket; 1: raw rows, where ``minimum``, ``maximum`` and ``count`` are empty.
        steps: Of the last row of each bucket.
        last: Its value.
        times_us: When it was measured, else when it came.
        minimum: Of the bucket's finite values, None where there are none; as ``maximum``.
        count: Steps in the bucket.
        total: Steps in the whole range asked for.
    """

    width: int
    steps: list[int]
    last: list[Value]
    times_us: list[int]
    minimum: list[float | None] = []
    maximum: list[float | None] = []
    count: list[int] = []
    total: int = 0


class NamedChart(msgspec.Struct, frozen=True, kw_only=True):
    """The chart of a series that was found by its name."""

    series: int
    experiment: int
    name: str
    path: str
    column: str
    chart: Chart


class SharedName(msgspec.Struct, frozen=True, kw_only=True):
    """A name of series in several experiments; ``last_step`` is the highest of theirs."""

    name: str
    experiments: list[int]
    last_step: int | None


class Row(msgspec.Struct, frozen=True):
    """One stored point, older rows of a step included."""

    step: int
    value: Value
    timestamp: int
    received_us: int


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One stored image; its bytes are the file of ``sha256`` (64 hex digits)."""

    id: int
    experiment: int = 0
    path: str
    step: int
    sha256: str
    media_type: str
    size: int
    received_us: int


class SnapshotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A plot kept whole, without its rows."""

    path: str
    step: int
    size: int
    props: JsonObject
    received_us: int


class PlotFile(msgspec.Struct, frozen=True, kw_only=True):
    """Images of one folder or path of an experiment, or a plot kept whole, in brief.

    Attributes:
        path: Images that are numbered, as DVCLive keeps every step of one, stand under their folder:
            ``plots/images/sample`` for ``plots/images/sample/12.png``. Others stand under their own path.
        first_step: Of images by folder: their numbers.
        template: Of a plot: the name of its template, where it says one.
    """

    experiment: int
    path: str
    kind: Literal["image", "plot"]
    count: int
    first_step: int
    last_step: int
    template: str | None = None


class LogLine(msgspec.Struct, frozen=True):
    """A line of an experiment's log of events."""

    time_us: int
    kind: str
    detail: JsonObject


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which experiments: those of a repository and folder (`repositories.shows` has the rule), or all.

    Attributes:
        repository: None: every one.
        subdir: "" is all of the repository.
        deleted: Only those with a tombstone, instead of only those without.
        baseline_shas: Only these, if given; as ``names`` and ``ids``.
    """

    repository: str | None = None
    subdir: str = ""
    deleted: bool = False
    baseline_shas: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()


class Reader(Protocol):
    """Questions; none of them changes anything."""

    def ids(self, scope: Scope) -> list[int]:
        """The ids of all experiments in scope, newest first."""

    def briefs(self, scope: Scope, keys: Sequence[KeyPath] = ()) -> list[Brief]:
        """All experiments in scope, newest first, without their dictionaries."""

    def rows(self, ids: Sequence[int]) -> list[ExperimentRow]:
        """Experiments by id, in the order of ``ids``; unknown ones are left out."""

    def series(self, experiment: int) -> list[Series]:
        """All series of an experiment, by path and column."""

    def one_series(self, series: int) -> Series | None:
        """One series."""

    def chart(self, series: int, *, points: int, first_step: int | None = None, last_step: int | None = None) -> Chart:
        """At most ``points`` buckets of the newest rows from ``first_step`` to ``last_step``, both included."""

    def charts(
        self,
        experiments: Sequence[int],
        names: Sequence[str],
        *,
        points: int,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> list[NamedChart]:
        """The charts of every series of some experiments with one of some names, in the order of both."""

    def shared_names(self, experiments: Sequence[int]) -> list[SharedName]:
        """All names of series of some experiments, sorted."""

    def plot_files(self, experiments: Sequence[int]) -> list[PlotFile]:
        """What images and plots kept whole some experiments have, by experiment, then path."""

    def stored_rows(self, series: int, after: Row | None = None) -> Iterator[Row]:
        """Every stored row after ``after``, in order of step, then of arrival; reads in batches, each of one state."""

    def images(self, experiment: int) -> list[Image]:
        """All images, by path, then step, then arrival."""

    def image(self, image: int) -> Image | None:
        """One image."""

    def snapshots(self, experiment: int) -> list[SnapshotInfo]:
        """All plots kept whole, by path."""

    def snapshot(self, experiment: int, path: str) -> tuple[SnapshotInfo, bytes] | None:
        """One of them, with its rows as JSON."""

    def log(self, experiment: int, limit: int = 500) -> list[LogLine]:
        """The newest lines of the log of events, oldest first."""

    def projects(self) -> list[Project]:
        """All projects, by name."""

    def changes(self, since: int, limit: int) -> list[Change] | None:
        """Entries after ``since``, each experiment's newest only; None where the log no longer reaches back so far."""

    def last_change(self) -> int:
        """The newest entry's number; 0 for none."""

    def close(self) -> None:
        """Close the connection."""
