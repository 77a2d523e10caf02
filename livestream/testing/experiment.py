"""What one experiment has become on a fake Studio."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import msgspec
import orjson

from livestream.events import Experiment, Json, JsonObject

KEPT_IMAGE_BYTES = 1_000_000  # of larger images only digest and size are kept, so that a test's memory is bounded


class ImageRecord(msgspec.Struct, frozen=True):
    """One image as it arrived: ``data`` is ``None`` above 1 MB and where no payloads are kept."""

    step: int | None
    size: int
    sha256: str
    data: bytes | None


class Backlog(msgspec.Struct, frozen=True):
    """What ``Livestream-Backlog`` said last: how much waits at the writer's node."""

    rows: int
    bytes: int
    oldest_s: float


class ExperimentLedger:
    """One experiment, as the stored updates made it.

    Attributes:
        key: Its identity.
        order: ``start``, ``data``, ``done`` as they were stored.
        message: Of the newest start, as ``subdir``.
        client: Of the newest update, as ``machine``.
        metrics: Path to the newest dictionary (the content of the wire's ``data``).
        params: Path to the newest dictionary.
        metric_errors: Path to the newest ``error`` of a metrics file.
        images: Path to every image stored, oldest first.
        snapshots: Path to the newest plot that is no series of steps: ``{"data": rows, "props": {...}}``.
        counts: Path of a series to its rows, repeats included.
        step: The newest update's.
        errors: Of the newest done; ``[]`` where it succeeded.
        warnings: Errors that came on start or data, in order.
        backlog: The newest ``Livestream-Backlog``.
        losses: The newest ``Livestream-Losses``: reason to events.
    """

    def __init__(self, key: Experiment, *, keep_payloads: bool = True) -> None:
        self.key = key
        self.order: list[str] = []
        self.message: str | None = None
        self.subdir: str | None = None
        self.client: str | None = None
        self.machine: JsonObject = {}
        self.experiment_rev: str | None = None
        self.metrics: dict[str, JsonObject] = {}
        self.params: dict[str, JsonObject] = {}
        self.metric_errors: dict[str, JsonObject] = {}
        self.images: dict[str, list[ImageRecord]] = {}
        self.snapshots: dict[str, JsonObject] = {}
        self.counts: dict[str, int] = {}
        self.step: int | None = None
        self.errors: list[JsonObject] = []
        self.warnings: list[JsonObject] = []
        self.backlog: Backlog | None = None
        self.losses: dict[str, int] = {}
        self._keep = keep_payloads
        self._points: dict[str, list[JsonObject]] = {}
        self._repeated_rows = 0
        self._data_digests: set[str] = set()
        self._last_digest = ""
        self._status = "running"

    @property
    def status(self) -> str:
        """``done`` after a done that no start has reopened; ``running`` otherwise."""
        return self._status

    @property
    def summary(self) -> JsonObject:
        """The newest metrics, where there is one file of them (the ordinary case).

        Raises:
            LookupError: There are several files, or none: use `metrics`.
        """
        if len(self.metrics) != 1:
            raise LookupError(f"{len(self.metrics)} metrics files: {sorted(self.metrics)}")
        return next(iter(self.metrics.values()))

    @property
    def rows(self) -> int:
        """Rows stored in series, repeats included."""
        return sum(list(self.counts.values()))

    @property
    def duplicates(self) -> int:
        """Rows of series that are equal, in every field, to an earlier row of the same path.

        A training that logs the same value twice at one step makes such rows honestly. Where no payloads are kept it
        counts the rows of repeated requests instead.
        """
        if not self._keep:
            return self._repeated_rows
        total = 0
        for rows in list(self._points.values()):
            seen = Counter(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in list(rows))
            total += sum(seen.values()) - len(seen)
        return total

    def points(self, name: str) -> list[JsonObject]:
        """Give the rows of a series in the order of their arrival.

        Args:
            name: The path on the wire, or the metric's name: ``train/loss`` finds ``.../plots/metrics/train/loss.tsv``.

        Raises:
            LookupError: Nothing of that name came, several paths end so, or no payloads are kept.
        """
        return list(self._points[self._find(name, self._points)])

    def values(self, name: str) -> list[tuple[int, Json]]:
        """Give ``(step, value)`` of each row of a metric's series (see `points`)."""
        path = self._find(name, self._points)
        field = path.removesuffix(".tsv").rsplit("/", 1)[-1]
        return [(row["step"], row[field]) for row in list(self._points[path])]

    def count(self, name: str) -> int:
        """Count the rows of a series (see `points`), repeats included; kept without payloads, too."""
        return self.counts[self._find(name, self.counts)]

    def _find(self, name: str, paths: Mapping[str, object]) -> str:
        if name in paths:
            return name
        suffix = f"plots/metrics/{name}.tsv"
        found = [path for path in list(paths) if path == suffix or path.endswith("/" + suffix)]
        if len(found) != 1:
            hint = "" if self._keep else " (payloads are not kept: use count())"
            raise LookupError(f"{len(found)} series for {name!r} among {sorted(paths)[:10]}{hint}")
        return found[0]

    # What follows is called by the ledger only.

    def store(self, body: JsonObject, images: Mapping[str, bytes], *, repair: bool, repeat: bool) -> None:
        """Apply one update that keeps the wire rules; a repair never overwrites metrics or params."""
        self.order.append(body["type"])
        self._head(body, repair=repair)
        for path, entry in body.get("metrics", {}).items():
            if "data" in entry:
                _put(self.metrics, path, entry["data"], fill=repair)
            if "error" in entry:
                self.metric_errors[path] = entry["error"]
        for path, content in body.get("params", {}).items():
            _put(self.params, path, content, fill=repair)
        for path, plot in body.get("plots", {}).items():
            if "image" in plot:
                self._image(path, images[path], _step_of(plot, body))
            elif "data" in plot:
                self._data(path, plot, repeat=repeat)

    def knows(self, kind: str, digest: str) -> bool:
        """Say whether this very body was stored before, so that it is a repeat.

        Nothing but its bytes tells a stock Studio. A start that comes again after other updates is a reopening, and a
        done after it another end, whatever their bytes; data that is equal byte for byte counts as repeated, although
        a training that was restarted from a checkpoint can honestly say the same again.
        """
        if kind == "data":
            return digest in self._data_digests
        return digest == self._last_digest

    def order_problem(self, kind: str) -> str | None:
        """Say how news of this kind would break the order start, data, done.

        Data may come late: a forked worker that outlives its parent adds rows and reopens nothing.
        """
        if kind == "done" and self.status == "done":
            return "type: done after done, and no start has reopened the experiment"
        return None

    def note(self, headers: Mapping[str, str], digest: str) -> None:
        """Remember the body just stored, and what its headers tell about the writer's node."""
        self._last_digest = digest
        if self.order[-1] == "data":
            self._data_digests.add(digest)
        if (backlog := headers.get("livestream-backlog")) is not None:
            self.backlog = parse_backlog(backlog)
        if (losses := headers.get("livestream-losses")) is not None:
            self.losses = parse_losses(losses)

    def _head(self, body: JsonObject, *, repair: bool) -> None:
        kind = body["type"]
        self.client = body.get("client", self.client)
        self.machine = {**self.machine, **body.get("machine", {})}
        if kind == "start":
            self.message, self.subdir = body.get("message"), body.get("subdir")
            self._status = "running"
        if kind == "done":
            self._status = "done"
            self.errors = body.get("errors", [])
            self.experiment_rev = body.get("experiment_rev", self.experiment_rev)
        else:
            self.warnings.extend(body.get("errors", []))
        if kind == "data" and not repair:
            self.step = body["step"]

    def _image(self, path: str, content: bytes, step: int | None) -> None:
        kept = content if self._keep and len(content) <= KEPT_IMAGE_BYTES else None
        record = ImageRecord(step, len(content), hashlib.sha256(content).hexdigest(), kept)
        self.images.setdefault(path, []).append(record)

    def _data(self, path: str, plot: JsonObject, *, repeat: bool) -> None:
        rows: list[JsonObject] = plot["data"]
        if not _is_series(path, rows):
            self.snapshots[path] = plot if self._keep else {"props": plot.get("props", {})}
            return
        self.counts[path] = self.counts.get(path, 0) + len(rows)
        if repeat:
            self._repeated_rows += len(rows)
        if self._keep:
            self._points.setdefault(path, []).extend(rows)


def parse_backlog(text: str) -> Backlog:
    """Read ``rows,bytes,oldest_s``.

    Raises:
        ValueError: It is something else.
    """
    rows, size, oldest_s = text.split(",")
    return Backlog(int(rows), int(size), float(oldest_s))


def parse_losses(text: str) -> dict[str, int]:
    """Read ``reason=count,reason=count``; an empty text means no losses.

    Raises:
        ValueError: It is something else.
    """
    losses = {}
    for item in filter(None, text.split(",")):
        reason, equals, count = item.rpartition("=")
        if not equals or not reason:
            raise ValueError(f"expected reason=count, got {item!r}")
        losses[reason.strip()] = int(count)
    return losses


def _is_series(path: str, rows: list[JsonObject]) -> bool:
    # As a Studio tells them apart; the first row speaks for all, because looking at each would cost more than parsing.
    if any(f"plots/{folder}/" in path for folder in ("custom", "sklearn")):
        return False
    return not rows or type(rows[0].get("step")) is int


def _step_of(plot: JsonObject, body: JsonObject) -> int | None:
    step = plot.get("props", {}).get("step", body.get("step"))
    return step if isinstance(step, int) else None


def _put(files: dict[str, JsonObject], path: str, content: JsonObject, *, fill: bool) -> None:
    files[path] = {**content, **files.get(path, {})} if fill else content
