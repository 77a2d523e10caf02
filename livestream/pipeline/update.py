"""The values of the pipeline: a writer's events as one update, and the experiment's state that it leads to."""

from __future__ import annotations

from typing import Literal

import msgspec

from livestream.events import Image, JsonObject, Plot


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What the Studio at the other end makes of a body; the stock profile, the hosted Studio's, is all False.

    Attributes:
        image_history: It keeps every image of a path, not only the newest.
        live_plots: It shows custom plots while the experiment runs.
        idempotent: It knows a part that it has already taken.
    """

    image_history: bool = False
    live_plots: bool = False
    idempotent: bool = False


class ExperimentState(msgspec.Struct, frozen=True, kw_only=True):
    """What all updates of an experiment add up to so far.

    Attributes:
        metrics: Whole nested dictionaries by path (the ``data`` of each metrics file).
        params: Whole dictionaries by path.
        step: The highest step of the newest update of data.
        started: A ``start`` was made.
        done: A ``done`` was made, and no ``start`` since.
        snapshots: Custom plots by path that wait for ``done`` (stock profile).
    """

    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    step: int | None = None
    started: bool = False
    done: bool = False
    snapshots: dict[str, Plot] = {}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The writer behind the events.

    Attributes:
        writer: Its uid.
        repo_url: With the next two, the experiment's identity.
        directory: Folder of the files on the wire, posix, for example ``dvclive``.
        client: The wire's ``client``.
        metric_prefix: Put before the name of every metric, image and plot (``rank3``), or empty.
    """

    writer: str
    repo_url: str
    baseline_sha: str
    name: str
    directory: str = "dvclive"
    client: str = "dvclive"
    metric_prefix: str = ""

    def path(self, tail: str) -> str:
        """Give the path on the wire of a file of this writer."""
        return f"{self.directory}/{tail}" if self.directory else tail

    def full(self, name: str) -> str:
        """Give a metric's, image's or plot's name with the writer's prefix."""
        return f"{self.metric_prefix}/{name}" if self.metric_prefix else name


class Series(msgspec.Struct, frozen=True):
    """The new rows of one plot file, oldest first.

    Attributes:
        rows: Each row as JSON, for example ``{"step":3,"loss":0.4}``.
        seqs: The sequence number of each row's event.
        extras: What stands beside ``data`` in the wire's plot (``props``, ``error``).
    """

    rows: list[bytes] = []
    seqs: list[int] = []
    extras: JsonObject = {}


class ImageItem(msgspec.Struct, frozen=True):
    """The newest image of a path, with its event's step and sequence number."""

    image: Image
    step: int
    seq: int


class PlotItem(msgspec.Struct, frozen=True):
    """The newest snapshot of a path as the wire wants it; ``seq`` is None where it waited in the state."""

    item: JsonObject
    seq: int | None


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive events of one writer as Studio should see them.

    Attributes:
        source: The writer.
        first: Sequence number of the first event in it.
        last: Sequence number of the last one.
        kind: The ``type`` of its body.
        step: The highest step in it; where it is no data, the experiment's.
        identity: ``repo_url``, ``baseline_sha``, ``name`` and ``client``, which every body carries.
        details: The rest of the body's small fields: ``message`` and ``subdir``, ``step``, or ``experiment_rev``.
        machine: Facts about the machine, newest value of each key.
        errors: ``{"cls", "text"}`` of each problem.
        metrics: ``{path: {"data": whole}}``.
        params: ``{path: whole}``.
        series: Rows to append, by path.
        images: Images by path; their content is wherever ``Image`` says.
        snapshots: Whole plots by path, as on the wire.
        state: The experiment's state once all of this is taken.
        superseded: Images and plots that a newer one replaced before they were sent.
    """

    source: Source
    first: int
    last: int
    kind: Literal["start", "data", "done"]
    step: int
    identity: JsonObject
    details: JsonObject
    state: ExperimentState
    machine: JsonObject = {}
    errors: list[JsonObject] = []
    metrics: dict[str, JsonObject] = {}
    params: dict[str, JsonObject] = {}
    series: dict[str, Series] = {}
    images: dict[str, ImageItem] = {}
    snapshots: dict[str, PlotItem] = {}
    superseded: int = 0
