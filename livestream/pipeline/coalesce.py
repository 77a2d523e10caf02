"""Makes one update of consecutive events of a writer: rows append, dictionaries merge, snapshots replace.

Emitted metrics and parameters are deltas, while ``metrics.json`` and ``params.yaml`` on the wire are whole dictionaries
that replace what the Studio held. So an experiment has a state, the merged dictionaries, that lives with the daemon;
every update of data carries all of it, and the writer never does. Three kinds of content behave differently:

* scalar rows append: each one is sent, also several of one step. They are encoded here, once, because an encoded row
  is a quarter of the memory of a dictionary and its size is then known to ``chunk``;
* metrics and parameters merge, the newest value wins;
* images and plots are snapshots: the newest of a path replaces the older, which is counted as superseded.

An update costs the rows it holds plus one shallow copy of each dictionary level it writes to. Nothing that is passed
in is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from livestream.events import Data, Done, Start
from livestream.pipeline.encode import to_json
from livestream.pipeline.merge import last_values, nest
from livestream.pipeline.update import ExperimentState, ImageItem, PlotItem, Profile, Series, Source, Update

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livestream.events import Event, Files, JsonObject, Plot, Record, Scalar

__all__ = ["ExperimentState", "ImageItem", "PlotItem", "Profile", "Series", "Source", "Update", "coalesce", "extent"]

MAX_MESSAGE_CHARS = 72  # dvc-studio-client cuts here, for a commit's title
TEXT_NUMBERS = frozenset({"nan", "inf", "-inf"})
"""The texts that are numbers (``events.Scalar``) and therefore rows."""

RESERVED_COLUMNS = frozenset({"step", "timestamp"})
SNAPSHOT_FOLDERS = ("/plots/custom/", "/plots/sklearn/")  # DVCLive rewrites these files whole


def extent(records: Sequence[Record], profile: Profile, max_events: int) -> int:
    """Say how many leading records make one update.

    ``start`` and ``done`` stand alone; data goes together, up to ``max_events``, under ``image_history`` up to an image
    whose path the update already holds, and never over events that are missing: an update says only from where to where
    it goes, so that nobody would learn of a hole inside it.
    """
    count = 0
    held: set[str] = set()
    for record in records[: max(1, max_events)]:
        if not isinstance(record.event, Data):
            return max(1, count)
        if record.seq != records[0].seq + count:
            return count
        if profile.image_history:
            names = _image_names(record.event)
            if not held.isdisjoint(names):
                return count
            held |= names
        count += 1
    return count


def _image_names(event: Data) -> set[str]:
    names = set(event.images)
    if event.files is not None:
        # Named as the short form would, so that both forms of one path meet.
        paths = (path for path, item in event.files.plots.items() if "image" in item)
        names.update(path.rpartition("plots/images/")[2] for path in paths)
    return names


def coalesce(records: Sequence[Record], state: ExperimentState, source: Source, profile: Profile) -> Update:
    """Make one update of what ``extent`` says belongs together.

    Args:
        records: Consecutive records of one writer: one ``start``, one ``done``, or only data.
        state: The experiment's state before them; it is not changed.
        source: The writer.
        profile: What the Studio makes of a body.

    Raises:
        ValueError: There are no records, or kinds are mixed.
    """
    events = [record.event for record in records]
    if not events or (len(events) > 1 and not all(isinstance(event, Data) for event in events)):
        raise ValueError("an update is one start, one done, or one or more events of data: cut it by extent()")
    gathering = _Gathering(state, source, profile)
    for record in records:
        gathering.add(record)
    return gathering.update(records)


class _Gathering:
    """An update while its records are walked."""

    def __init__(self, state: ExperimentState, source: Source, profile: Profile) -> None:
        self._state = state
        self._source = source
        # After `done` nothing is left to wait for: what comes late is sent at once.
        self._plots_wait = not profile.live_plots and not state.done
        self._metrics_path, self._params_path = source.path("metrics.json"), source.path("params.yaml")
        self._metrics, self._params = dict(state.metrics), dict(state.params)
        self._metric_extras: dict[str, JsonObject] = {}
        self._metric_deltas: list[dict[str, Scalar]] = []
        self._param_deltas: JsonObject = {}
        self._touched: set[str] = set()
        self._series: dict[str, Series] = {}
        self._columns: dict[str, tuple[Series, bytes]] = {}
        self._images: dict[str, ImageItem] = {}
        self._snapshots: dict[str, PlotItem] = {}
        self._waiting = dict(state.snapshots)
        self._machine: JsonObject = {}
        self._step: int | None = None
        self._superseded = 0
        self._short_form = False

    def add(self, record: Record) -> None:
        event = record.event
        if event.files is not None:
            self._add_files(event.files, record.seq)
        if event.params:
            self._param_deltas.update(event.params)
            self._touched.add(self._params_path)
        if event.machine:
            self._machine.update(event.machine)
        if isinstance(event, Data):
            self._add_data(event, record.seq)

    def _add_data(self, event: Data, seq: int) -> None:
        self._step = event.step if self._step is None else max(self._step, event.step)
        if event.files is None or event.metrics or event.params or event.images or event.plots:
            self._short_form = True
        if event.metrics:
            self._metric_deltas.append(event.metrics)
            self._add_rows(event, seq)
        for name, image in event.images.items():
            path = self._source.path(f"plots/images/{self._source.full(name)}")
            self._replace(path)
            self._images[path] = ImageItem(image, event.step, seq)
        for name, plot in event.plots.items():
            path = self._source.path(f"plots/{plot.folder}/{self._source.full(name)}.json")
            if self._plots_wait:
                self._superseded += path in self._waiting
                self._waiting[path] = plot
            else:
                self._replace(path)
                self._snapshots[path] = PlotItem(_wire_plot(plot), seq)

    def _add_rows(self, event: Data, seq: int) -> None:
        stamp = b"" if event.timestamp is None else b'"timestamp":%d,' % event.timestamp
        head = b'{%b"step":%d' % (stamp, event.step)
        columns = self._columns
        for name, value in event.metrics.items():
            kind = type(value)
            if kind is float or kind is int or (kind is str and value in TEXT_NUMBERS):
                column = columns.get(name)
                if column is None:
                    column = columns[name] = self._open_column(name)
                series, label = column
                series.rows.append(head + label + to_json(value) + b"}")
                series.seqs.append(seq)

    def _open_column(self, name: str) -> tuple[Series, bytes]:
        full = self._source.full(name)
        path = self._source.path(f"plots/metrics/{full}.tsv")
        # A column called like the axis would hide it: fall back to names that cannot.
        wanted = (full.rpartition("/")[2], full, "value")
        column = next(column for column in wanted if column not in RESERVED_COLUMNS)
        return self._series.setdefault(path, Series()), b"," + to_json(column) + b":"

    def _add_files(self, files: Files, seq: int) -> None:
        for path, item in files.metrics.items():
            self._touched.add(path)
            whole = item.get("data")
            if isinstance(whole, dict):
                self._metrics[path] = whole
                if path == self._metrics_path:
                    self._metric_deltas, self._short_form = [], False
                self._metric_extras[path] = {key: value for key, value in item.items() if key != "data"}
            else:
                self._metric_extras[path] = item
        for path, whole in files.params.items():
            self._touched.add(path)
            self._params[path] = whole
            if path == self._params_path:
                self._param_deltas = {}
        for path, item in files.plots.items():
            self._add_plot_file(path, item, seq)

    def _add_plot_file(self, path: str, item: JsonObject, seq: int) -> None:
        if item == {"data": []} and not _is_whole(path):
            return  # DVCLive names every metric file each time; this one has no news
        if item.get("data") and _is_series(path, item):
            series = self._series.setdefault(path, Series())
            series.rows.extend(to_json(row) for row in item["data"])
            series.seqs.extend([seq] * len(item["data"]))
            series.extras.update({key: value for key, value in item.items() if key != "data"})
        else:
            self._replace(path)
            self._snapshots[path] = PlotItem(item, seq)

    def _replace(self, path: str) -> None:
        """Make room for a newer snapshot of a path; an image and a plot of one path replace each other."""
        older = self._images.pop(path, None) or self._snapshots.pop(path, None)
        self._superseded += older is not None

    def update(self, records: Sequence[Record]) -> Update:
        event = records[0].event
        self._merge()
        if not self._plots_wait or isinstance(event, Done):
            waited = {path: PlotItem(_wire_plot(plot), None) for path, plot in self._waiting.items()}
            self._snapshots, self._waiting = {**waited, **self._snapshots}, {}
        everything = isinstance(event, Data)
        metric_paths = [*self._metrics, *(path for path in self._metric_extras if path not in self._metrics)]
        return Update(
            source=self._source,
            first=records[0].seq,
            last=records[-1].seq,
            kind=_kind(event),
            step=(self._state.step or 0) if self._step is None else self._step,
            identity=_identity(self._source),
            details=_details(event, self._step),
            machine=self._machine,
            errors=[msgspec.structs.asdict(problem) for problem in event.errors] if isinstance(event, Done) else [],
            metrics={path: self._metrics_item(path) for path in metric_paths if everything or path in self._touched},
            params={path: whole for path, whole in self._params.items() if everything or path in self._touched},
            series=self._series,
            images=self._images,
            snapshots=self._snapshots,
            state=self._state_after(event),
            superseded=self._superseded,
        )

    def _merge(self) -> None:
        if self._short_form:
            path = self._metrics_path
            newest = last_values(self._metric_deltas).items()
            whole = nest(self._metrics.get(path, {}), {self._source.full(name): value for name, value in newest})
            whole["step"] = self._step
            self._metrics[path] = whole
        if self._param_deltas:
            self._params[self._params_path] = {**self._params.get(self._params_path, {}), **self._param_deltas}

    def _metrics_item(self, path: str) -> JsonObject:
        whole = {"data": self._metrics[path]} if path in self._metrics else {}
        return {**whole, **self._metric_extras.get(path, {})}

    def _state_after(self, event: Event) -> ExperimentState:
        state = self._state
        return ExperimentState(
            metrics=self._metrics,
            params=self._params,
            step=state.step if self._step is None else self._step,
            started=state.started or isinstance(event, Start),
            done=isinstance(event, Done) or (state.done and isinstance(event, Data)),
            snapshots=self._waiting,
        )


def _identity(source: Source) -> JsonObject:
    return {
        "repo_url": source.repo_url,
        "baseline_sha": source.baseline_sha,
        "name": source.name,
        "client": source.client,
    }


def _kind(event: Event) -> Literal["start", "data", "done"]:
    if isinstance(event, Data):
        return "data"
    return "start" if isinstance(event, Start) else "done"


def _details(event: Event, step: int | None) -> JsonObject:
    details: JsonObject
    if isinstance(event, Data):
        details = {"step": step}
    elif isinstance(event, Start):
        details = {"message": (event.message or "")[:MAX_MESSAGE_CHARS], "subdir": event.subdir}
    else:
        details = {"experiment_rev": event.experiment_rev}
    return {key: value for key, value in details.items() if value is not None and value != ""}


def _wire_plot(plot: Plot) -> JsonObject:
    return {"data": plot.rows, "props": plot.props} if plot.props else {"data": plot.rows}


def _is_whole(path: str) -> bool:
    """Say whether DVCLive rewrites a file whole by its place; a table is a metric's, and its name may be anything."""
    return not path.endswith(".tsv") and any(folder in f"/{path}" for folder in SNAPSHOT_FOLDERS)


def _is_series(path: str, item: JsonObject) -> bool:
    """Say whether a stock plot's rows append: they carry a step, and it is not of the folders of whole snapshots."""
    rows = item.get("data")
    if not isinstance(rows, list) or "image" in item or _is_whole(path):
        return False
    return all(isinstance(row, dict) and type(row.get("step")) is int for row in rows)
