"""One body of ``api/live`` -> an `Update`.

Strict where the stock schema is (the types of what it knows; ``dvc_studio_client/schema.py``), lenient where a newer
client may know more: unknown fields are kept.
"""

from __future__ import annotations

from typing import Final, get_args

import msgspec

from livestream.events import JsonObject
from livestream.studio.update import Identity, Kind, Picture, Points, Snapshot, Update
from livestream.studio.wire.fields import (
    Fields,
    WireError,
    check_key,
    locate,
    read_extra,
    read_fields,
    read_int,
    read_key,
    read_object,
    read_objects,
    read_problems,
    read_sha,
    read_text,
    required,
    shortened,
)
from livestream.studio.wire.plots import (
    Plot,
    picture_props,
    read_picture,
    read_plot,
    read_plots,
    read_points,
    read_quick,
    snapshot_of,
)

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_KNOWN: Final = frozenset(
    {"type", "repo_url", "baseline_sha", "name", "client", "step", "message", "subdir", "experiment_rev"}
    | {"params", "metrics", "errors", "machine", "env", "plots"}
)


class Content:
    """What the plots of a body, or of a slice of it, became."""

    def __init__(self) -> None:
        self.points: list[Points] = []
        self.pictures: list[Picture] = []
        self.snapshots: list[Snapshot] = []
        self.props: dict[str, JsonObject] = {}

    def add(self, plot: Plot, step: int | None) -> None:
        """Decode a plot; ``step`` is the body's.

        Raises:
            WireError: Its content is not what it should be.
        """
        props = plot.props
        if plot.image is not None:
            self.pictures.append(read_picture(plot, plot.image, step))
            props = picture_props(plot)
        elif plot.rows is not None:
            points = read_points(plot, plot.rows)
            if points is None:
                self.snapshots.append(snapshot_of(plot, plot.rows))
                return
            self.points.extend(points)
        if props:
            self.props[plot.path] = props

    def absorb(self, other: Content) -> None:
        """Take over another's content, behind one's own."""
        self.points.extend(other.points)
        self.pictures.extend(other.pictures)
        self.snapshots.extend(other.snapshots)
        self.props.update(other.props)

    def fill(self, update: Update) -> Update:
        """Give the update with this content."""
        if not (self.points or self.pictures or self.snapshots or self.props):
            return update
        return msgspec.structs.replace(
            update, points=self.points, pictures=self.pictures, snapshots=self.snapshots, plot_props=self.props
        )


def decode(payload: bytes | memoryview) -> Update:
    """Decode one body.

    Raises:
        WireError: The first thing that is wrong with it.
    """
    update, plots = read_shell(payload)
    if plots is None:
        return update
    points = read_quick(plots)
    if points is not None:
        return msgspec.structs.replace(update, points=points)
    content = Content()
    for path, fields in read_plots(plots).items():
        content.add(read_plot(path, fields), update.step)
    return content.fill(update)


def read_shell(payload: bytes | memoryview) -> tuple[Update, msgspec.Raw | None]:
    """Read all of a body but its plots, which are given as they came, or as None where there are none.

    Raises:
        WireError: The first thing that is wrong with it.
    """
    fields = read_fields(payload, "body")
    kind = _kind(fields)
    identity = _identity(fields)
    metrics, extra = _metrics(fields)
    extra = {**read_extra(fields, _KNOWN), **extra}
    step = read_int(fields["step"], "step") if "step" in fields else None
    if kind == "data" and step is None:
        raise WireError("step", "missing")
    errors = read_problems(fields["errors"], "errors") if "errors" in fields else []
    update = Update(
        kind=kind,
        identity=identity,
        client=read_text(fields["client"], "client") if "client" in fields else "",
        step=step if kind == "data" else None,
        message=_message(fields),
        subdir=_subdir(fields),
        experiment_rev=read_sha(fields["experiment_rev"], "experiment_rev") if "experiment_rev" in fields else None,
        params=read_objects(fields["params"], "params") if "params" in fields else {},
        metrics=metrics,
        errors=errors,
        machine=read_object(fields["machine"], "machine") if "machine" in fields else {},
        env=read_object(fields["env"], "env") if "env" in fields else {},
        extra=extra,
    )
    return update, fields.get("plots")


def _kind(fields: Fields) -> Kind:
    kind = read_text(required(fields, "type"), "type")
    for known in KINDS:
        if kind == known:
            return known
    raise WireError("type", f"unknown; accepted: {', '.join(KINDS)}")


def _identity(fields: Fields) -> Identity:
    repo_url, repository = locate(read_key(required(fields, "repo_url"), "repo_url"), "repo_url")
    return Identity(
        repository=repository,
        repo_url=repo_url,
        baseline_sha=read_sha(required(fields, "baseline_sha"), "baseline_sha"),
        name=read_key(required(fields, "name"), "name"),
    )


def _message(fields: Fields) -> str | None:
    return shortened(read_text(fields["message"], "message", longest=None)) if "message" in fields else None


def _subdir(fields: Fields) -> str | None:
    if "subdir" not in fields:
        return None
    subdir = read_text(fields["subdir"], "subdir")
    return check_key(subdir, "subdir") if subdir else subdir


def _metrics(fields: Fields) -> tuple[dict[str, JsonObject], JsonObject]:
    """Give file to content, and what else is said of the files, to be kept as an unknown field."""
    if "metrics" not in fields:
        return {}, {}
    metrics: dict[str, JsonObject] = {}
    rest: JsonObject = {}
    for file, entry in read_objects(fields["metrics"], "metrics").items():
        data = entry.pop("data", None)
        if isinstance(data, dict):
            metrics[file] = data
        elif data is not None:
            raise WireError(f"metrics.{file}.data", "expected an object")
        error = entry.get("error")
        if error is not None and not _is_problem(error):
            raise WireError(f"metrics.{file}.error", 'expected {"cls": text, "text": text}')
        if entry:
            rest[file] = entry
    return metrics, {"metrics": rest} if rest else {}


def _is_problem(error: object) -> bool:
    return isinstance(error, dict) and isinstance(error.get("cls"), str) and isinstance(error.get("text"), str)
