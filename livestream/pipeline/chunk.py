"""Cuts an update into requests that a Studio takes, and writes their bodies.

Studio limits the bytes of a request, the bytes of a plot and the plots of a request. Whatever is over a limit goes
into a further request; only what cannot fit alone is left out, and is named with its reason (``Unfit``).

Parts are filled in one order: errors, metrics, parameters and machine facts, then rows, then snapshots, then images.
The first group may fill a part up to the Studio's limit, so that it stays together in the first; plots close a part at
a softer target of our own. A series is cut by rows wherever the part is full. ``start`` and ``done`` take no plots:
theirs travel as data, after ``start`` and before ``done``. The cut is a function of the update, the limits and the
images' sizes, so a plan can be made again after a crash. Rows are not copied, only counted; a body exists only while
it is rendered.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from livestream.pipeline.body import FRAME_BYTES, Kind, Part, Slice, head, image_frame, render, series_frame
from livestream.pipeline.encode import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from livestream.events import JsonObject
    from livestream.pipeline.update import Series, Update

__all__ = ["Chunks", "Limits", "Part", "Slice", "Unfit", "chunk", "render"]

Group: TypeAlias = Literal["errors", "metrics", "params", "machine", "snapshots", "images"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a Studio takes; the defaults are those of dvc-studio-client for the hosted one.

    Attributes:
        max_request_bytes: JSON of a body, before compression.
        max_plot_bytes: JSON of a plot's ``data``, or base64 of an image.
        max_plots: Plots of a body.
        target_request_bytes: Where a body is closed although it could hold more: an own choice, so that memory stays
            small and a server that answers within 5 s on a slow line has a chance.
    """

    max_request_bytes: int = 29_000_000
    max_plot_bytes: int = 10_000_000
    max_plots: int = 200
    target_request_bytes: int = 8_000_000


class Unfit(msgspec.Struct, frozen=True):
    """One thing that no request can carry.

    Attributes:
        path: Its path; ``machine``, ``errors`` or, for the body's own fields, ``event``.
        seq: Its event, where it came with one of the update.
        size: Its bytes.
        limit: The bytes that were allowed.
        reason: What it is and which limit it breaks.
    """

    path: str
    seq: int | None
    size: int
    limit: int
    reason: str


class Chunks(msgspec.Struct, frozen=True):
    """An update cut into parts, in the order in which they are to be sent.

    The part of the event itself is there, and is its first (``done``: its last), unless the body's own fields are over
    the limit.
    """

    parts: tuple[Part, ...]
    unfit: tuple[Unfit, ...]


def chunk(update: Update, limits: Limits, image_sizes: Mapping[str, int]) -> Chunks:
    """Cut an update into parts.

    Args:
        update: What is to be sent.
        limits: What the Studio takes.
        image_sizes: Bytes of base64 text of each image's content, by path. An image that is missing here has no
            content to send and is unfit.
    """
    cutter = _Cutter(update, limits)
    cutter.add_documents()
    for path, series in update.series.items():
        cutter.add_series(path, series)
    for path, snapshot in update.snapshots.items():
        cutter.add_plot("snapshots", path, _sizes_of_snapshot(snapshot.item, limits), snapshot.seq)
    for path, image in update.images.items():
        size = image_sizes.get(path)
        if size is None:
            cutter.unfit.append(Unfit(path, image.seq, 0, limits.max_plot_bytes, "image: its content is missing"))
        else:
            cutter.add_plot("images", path, _Sizes(size, size + len(image_frame(image))), image.seq)
    return cutter.chunks()


class _Sizes(msgspec.Struct, frozen=True):
    """Bytes of a plot: what Studio's limit counts, and all of it."""

    counted: int
    whole: int


def _sizes_of_snapshot(item: JsonObject, limits: Limits) -> _Sizes:
    whole = len(to_json(item))
    if whole <= limits.max_plot_bytes:
        return _Sizes(whole, whole)
    return _Sizes(len(to_json(item.get("data", item.get("image")))), whole)


class _Draft:
    """A part that is being filled. ``size`` is the bytes of its body, never less than it will be."""

    def __init__(self, kind: Kind, size: int) -> None:
        self.kind = kind
        self.size = size
        self.groups: dict[Group, list[str]] = {}
        self.slices: list[Slice] = []
        self.plots: dict[str, int] = {}  # path to the bytes that the plot limit counts

    @property
    def empty(self) -> bool:
        return not self.groups and not self.slices

    def add(self, group: Group, path: str, cost: int) -> None:
        self.groups.setdefault(group, []).append(path)
        self.size += cost

    def part(self, index: int, count: int) -> Part:
        groups = self.groups
        return Part(
            index=index,
            count=count,
            kind=self.kind,
            errors="errors" in groups,
            machine="machine" in groups,
            metrics=tuple(groups.get("metrics", ())),
            params=tuple(groups.get("params", ())),
            series=tuple(self.slices),
            snapshots=tuple(groups.get("snapshots", ())),
            images=tuple(groups.get("images", ())),
        )


class _Cutter:
    """Fills one part after the other."""

    def __init__(self, update: Update, limits: Limits) -> None:
        self._update = update
        self._limits = limits
        self._target = min(limits.target_request_bytes, limits.max_request_bytes)
        self._own_head = len(head(update, update.kind)) + FRAME_BYTES
        self._data_head = len(head(update, "data")) + FRAME_BYTES
        self._own = _Draft(update.kind, self._own_head)
        self._drafts = [self._own] if update.kind == "data" else []
        self.unfit: list[Unfit] = []

    def _fresh(self) -> _Draft:
        draft = _Draft("data", self._data_head)
        self._drafts.append(draft)
        return draft

    def chunks(self) -> Chunks:
        limit = self._limits.max_request_bytes
        drafts = [draft for draft in self._drafts if draft is not self._own]
        if self._own_head > limit:
            reason = "event: its own fields are more than a request can carry"
            self.unfit.append(Unfit("event", self._update.first, self._own_head, limit, reason))
        elif self._update.kind == "done":
            drafts.append(self._own)
        else:
            drafts.insert(0, self._own)
        parts = tuple(draft.part(index, len(drafts)) for index, draft in enumerate(drafts))
        return Chunks(parts, tuple(self.unfit))

    def add_documents(self) -> None:
        update = self._update
        if update.errors:
            self._add_document("errors", "errors", len(to_json(update.errors)))
        for path, item in update.metrics.items():
            self._add_document("metrics", path, len(to_json(item)) + _key_bytes(path))
        for path, whole in update.params.items():
            self._add_document("params", path, len(to_json(whole)) + _key_bytes(path))
        if update.machine:
            self._add_document("machine", "machine", len(to_json(update.machine)))

    def _add_document(self, group: Group, path: str, cost: int) -> None:
        limit = self._limits.max_request_bytes
        draft = self._drafts[-1] if self._drafts else self._own
        for candidate in (self._own, draft):
            if candidate.size + cost <= limit:
                candidate.add(group, path, cost)
                return
        # `errors` on data is a warning, on `done` it is the end's reason: it stays with its own event.
        if group != "errors" and self._data_head + cost <= limit:
            self._fresh().add(group, path, cost)
        else:
            reason = f"{group}: more than a request can carry"
            self.unfit.append(Unfit(path, None, cost, limit, reason))

    def add_plot(self, group: Literal["snapshots", "images"], path: str, sizes: _Sizes, seq: int | None) -> None:
        limits = self._limits
        cost = sizes.whole + _key_bytes(path)
        name = group.removesuffix("s")
        if sizes.counted > limits.max_plot_bytes:
            reason = f"{name}: more than a plot may be"
            self.unfit.append(Unfit(path, seq, sizes.counted, limits.max_plot_bytes, reason))
        elif self._data_head + cost > limits.max_request_bytes:
            reason = f"{name}: more than a request can carry"
            self.unfit.append(Unfit(path, seq, cost, limits.max_request_bytes, reason))
        else:
            draft = self._draft_for_plots()
            if not draft.empty and (path in draft.plots or draft.size + cost > self._target):
                draft = self._fresh()
            draft.add(group, path, cost)
            draft.plots[path] = sizes.counted

    def _draft_for_plots(self) -> _Draft:
        draft = self._drafts[-1] if self._drafts else self._fresh()
        return self._fresh() if len(draft.plots) >= max(1, self._limits.max_plots) else draft

    def add_series(self, path: str, series: Series) -> None:
        frame = _key_bytes(path) + len(series_frame(series.extras))
        limit = min(self._limits.max_plot_bytes - 2, self._limits.max_request_bytes - self._data_head - frame)
        ends = array("q", accumulate(len(row) + 1 for row in series.rows))
        for run in self._fitting(path, series, limit):
            at = run.start
            while at < run.stop:
                at = self._add_slice(Slice(path, at, run.stop), frame, ends)

    def _fitting(self, path: str, series: Series, limit: int) -> Iterator[range]:
        """Give the runs of rows that can be sent at all, and name the others."""
        start = 0
        if max(map(len, series.rows), default=0) > limit:
            for index, row in enumerate(series.rows):
                if len(row) > limit:
                    reason = "row: more than a request can carry"
                    self.unfit.append(Unfit(path, series.seqs[index], len(row), limit, reason))
                    yield range(start, index)
                    start = index + 1
        yield range(start, len(series.rows))

    def _add_slice(self, wanted: Slice, frame: int, ends: Sequence[int]) -> int:
        """Put as many of the wanted rows as fit into one part, at least one; give the index of the next row."""
        path, start = wanted.path, wanted.start
        draft = self._draft_for_series(path)
        before = ends[start - 1] if start else 0
        while True:
            held = draft.plots.get(path)
            opening = frame if held is None else 0
            room = min(self._target - draft.size - opening, self._limits.max_plot_bytes - 2 - (held or 0))
            stop = bisect_right(ends, before + room, start, wanted.stop)
            if stop > start or draft.empty:
                break
            draft = self._fresh()
        stop = max(stop, start + 1)  # a row over our own target, but under the Studio's limit, goes alone
        size = ends[stop - 1] - before
        draft.slices.append(Slice(path, start, stop))
        draft.plots[path] = (held or 0) + size
        draft.size += opening + size
        return stop

    def _draft_for_series(self, path: str) -> _Draft:
        if self._drafts and path in self._drafts[-1].plots:
            return self._drafts[-1]
        return self._draft_for_plots()


def _key_bytes(path: str) -> int:
    return len(to_json(path)) + 2  # the colon, and the comma before the next entry
