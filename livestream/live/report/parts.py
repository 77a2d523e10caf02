"""The parts of a page in their order: parameters, metrics, histories, images, scikit-learn's plots, custom plots.

Each part is made when it is drawn and forgotten after, so that of all the rows only one metric's are dictionaries at a
time. dvc-render writes into the rows that it is given, so it gets copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from livestream.events import Json, JsonObject
from livestream.live.report.gallery import as_source
from livestream.live.report.plots import Shown
from livestream.live.report.series import Row, Series

Renderer: TypeAlias = Any
"""dvc-render's."""

_REVISION: Final = "workspace"
"""What DVC calls files that are in no commit."""


class Part(msgspec.Struct, frozen=True):
    """One part of a page.

    Attributes:
        name: What it shows.
        make: Makes dvc-render's object for it.
        image: It is an image.
    """

    name: str
    make: Callable[[], Renderer]
    image: bool = False


def table(name: str, read: Callable[[], Mapping[str, Json]]) -> Part:
    """Show values by name, under a file's name."""

    def make() -> Renderer:
        from dvc_render.table import TableRenderer  # noqa: PLC0415 - only for runs with a report

        return TableRenderer([read()], name)

    return Part(name, make)


def histories(series: Iterable[tuple[str, Series]]) -> Iterator[Part]:
    """Show each metric over its steps."""
    for name, one in series:
        yield _history(name, one)


def images(shown: Iterable[tuple[str, str]]) -> Iterator[Part]:
    """Show each image, under its name."""
    for name, path in shown:
        yield _image(name, path)


def plots(shown: Iterable[tuple[str, Shown]]) -> Iterator[Part]:
    """Show each plot as it is described."""
    for name, plot in shown:
        yield _plot(name, plot)


def _history(name: str, series: Series) -> Part:
    # DVCLive's folder is called "metrics", and its report takes the word out of the whole path, wherever it stands.
    path = f"metrics/{name}"
    title = path.replace("metrics", "").strip("/")

    def make() -> Renderer:
        rows = [_record(series.header, row) for row in series.rows()]
        return _vega(
            rows, path.replace("metrics", "static"), {"x": "step", "y": name.rpartition("/")[2], "title": title}
        )

    return Part(name, make)


def _record(header: Row, row: Row) -> dict[str | None, Json]:
    """Give a row its columns' names, as ``csv.DictReader`` does where the header has more or fewer."""
    record: dict[str | None, Json] = dict.fromkeys(header)
    record.update(zip(header, row, strict=False))
    if len(row) > len(header):
        record[None] = list(row[len(header) :])
    record["rev"] = _REVISION
    return record


def _plot(name: str, plot: Shown) -> Part:
    return Part(name, lambda: _vega([row | {"rev": _REVISION} for row in plot.rows], name, plot.config))


def _vega(rows: list[Any], name: str, properties: Mapping[str, Json]) -> Renderer:
    from dvc_render.vega import VegaRenderer  # noqa: PLC0415 - only for runs with a report

    return VegaRenderer(rows, name, **properties)


def _image(name: str, path: str) -> Part:
    def make() -> Renderer:
        from dvc_render.image import ImageRenderer  # noqa: PLC0415 - only for runs with a report

        row: JsonObject = {ImageRenderer.SRC_FIELD: as_source(path), ImageRenderer.TITLE_FIELD: name}
        return ImageRenderer([row], name)

    return Part(name, make, image=True)
