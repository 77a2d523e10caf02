"""What belongs to one experiment over HTTP: its series and their charts, images, plots kept whole, and its log.

Images are what strangers' programs sent. They are served under a sandbox, with the type that their first bytes say and
never another, and whatever is no known image only as a download: an SVG or a page among them runs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.studio.http.context import caller_of, services_of
from livestream.studio.http.experiments import Nothing, Text
from livestream.studio.http.listing import is_seen, seen
from livestream.studio.http.problems import ProblemError, encoded_response
from livestream.studio.http.routes import Route, id_of, query_of
from livestream.studio.http.shown import chart_view, image_view, log_view, plot_view, series_view
from livestream.studio.http.views import ChartView, ImageList, Log, PlotContent, PlotList, SeriesList
from livestream.studio.store.base import Image, Reader, Series

MAX_POINTS: Final = 10_000
MAX_LOG: Final = 5_000
INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_IMAGE_HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=31536000, immutable",
}

Step = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
T = TypeVar("T")


class SeriesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which series."""

    name: Annotated[tuple[Text, ...], Meta(max_length=500, description="Only those with one of these names.")] = ()


class ChartQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """Which part of a series, and how fine."""

    points: Annotated[int, Meta(ge=1, le=MAX_POINTS, description="Draw it in at most so many.")] = 1_000
    first: Annotated[Step | None, Meta(description="First step.")] = None
    last: Annotated[Step | None, Meta(description="Last step, included.")] = None


class ImagesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which images."""

    path: Annotated[tuple[Text, ...], Meta(max_length=100, description="Only those with one of these paths.")] = ()


class PlotQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which plot."""

    path: Text


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the log."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LOG)] = 500


# -- handlers


async def list_series(request: web.Request) -> web.Response:
    """Answer the series of an experiment."""
    names = frozenset(query_of(request, SeriesQuery).name)

    def make(reader: Reader, experiment: int) -> SeriesList:
        found = reader.series(experiment)
        return SeriesList(series=[series_view(series) for series in found if not names or series.name in names])

    return await _answer(request, make)


async def get_chart(request: web.Request) -> web.Response:
    """Answer what a chart of a series draws."""
    number, query = id_of(request, "series"), query_of(request, ChartQuery)
    check_steps(query.first, query.last)

    def make(reader: Reader, experiment: int) -> ChartView:
        series_of(reader, experiment, number)
        chart = reader.chart(number, points=query.points, first_step=query.first, last_step=query.last)
        return chart_view(number, chart)

    return await _answer(request, make)


async def list_images(request: web.Request) -> web.Response:
    """Answer the images of an experiment, without their bytes."""
    paths = frozenset(query_of(request, ImagesQuery).path)

    def make(reader: Reader, experiment: int) -> ImageList:
        found = reader.images(experiment)
        return ImageList(images=[image_view(image) for image in found if not paths or image.path in paths])

    return await _answer(request, make)


async def get_image(request: web.Request) -> web.StreamResponse:
    """Answer an image's bytes."""
    services, allowed, number = services_of(request), caller_of(request).project, id_of(request)
    query_of(request, Nothing)

    def find(reader: Reader) -> Image:
        image = reader.image(number)
        if image is None or (allowed is not None and not is_seen(reader, image.experiment, allowed)):
            raise ProblemError(404, f"image: none has the id {number}")
        return image

    image = await services.readers.ask(find)
    path = services.blobs.path(image.sha256)
    if not await asyncio.to_thread(path.is_file):
        raise ProblemError(404, f"image: the file {image.sha256} is missing in blobs/; a backup may have it")
    is_shown = image.media_type in INLINE
    headers = {
        **_IMAGE_HEADERS,
        "Content-Type": image.media_type if is_shown else "application/octet-stream",
        "Content-Disposition": "inline" if is_shown else f'attachment; filename="image-{image.id}.bin"',
    }
    return web.FileResponse(path, headers=headers)


async def list_plots(request: web.Request) -> web.Response:
    """Answer the plots that are kept whole, without their rows."""
    query_of(request, Nothing)

    def make(reader: Reader, experiment: int) -> PlotList:
        return PlotList(plots=[plot_view(info) for info in reader.snapshots(experiment)])

    return await _answer(request, make)


async def get_plot(request: web.Request) -> web.Response:
    """Answer one of them with its rows."""
    path = query_of(request, PlotQuery).path

    def make(reader: Reader, experiment: int) -> PlotContent:
        found = reader.snapshot(experiment, path)
        if found is None:
            raise ProblemError(404, "query.path: the experiment has no such plot; /plots lists them")
        info, rows = found
        return PlotContent(plot=plot_view(info), rows=msgspec.Raw(rows))

    return await _answer(request, make)


async def get_log(request: web.Request) -> web.Response:
    """Answer the newest lines of an experiment's log."""
    limit = query_of(request, LogQuery).limit

    def make(reader: Reader, experiment: int) -> Log:
        return Log(log=[log_view(line) for line in reader.log(experiment, limit)])

    return await _answer(request, make)


# -- inside


def check_steps(first: int | None, last: int | None) -> None:
    """Check the steps that a chart is asked for.

    Raises:
        ProblemError: 400: they end before they begin.
    """
    if first is not None and last is not None and first > last:
        raise ProblemError(400, f"query.from: {first} is after query.to ({last})")


def series_of(reader: Reader, experiment: int, number: int) -> Series:
    """Read a series of an experiment.

    Raises:
        ProblemError: 404: it has none with this id.
    """
    series = reader.one_series(number)
    if series is None or series.experiment != experiment:
        raise ProblemError(404, f"series: experiment {experiment} has none with the id {number}")
    return series


async def _answer(request: web.Request, make: Callable[[Reader, int], T]) -> web.Response:
    """Answer with what is made, and encoded, in a reader's thread for the experiment of the path, if it may be seen."""
    experiment, allowed = id_of(request), caller_of(request).project

    def ask(reader: Reader) -> bytes:
        seen(reader, experiment, allowed)
        return msgspec.json.encode(make(reader, experiment))

    return encoded_response(await services_of(request).readers.ask(ask))


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/experiments/{id}/series",
        handler=list_series,
        summary="The series of an experiment, each with a summary.",
        query=SeriesQuery,
        answer=SeriesList,
    ),
    Route(
        method="GET",
        path="/api/experiments/{id}/series/{series}",
        handler=get_chart,
        summary="A series as a chart draws it: raw rows, or buckets with minimum, maximum, last value and count.",
        query=ChartQuery,
        answer=ChartView,
    ),
    Route(
        method="GET",
        path="/api/experiments/{id}/images",
        handler=list_images,
        summary="The images of an experiment: every step of every path.",
        query=ImagesQuery,
        answer=ImageList,
    ),
    Route(
        method="GET",
        path="/api/images/{id}",
        handler=get_image,
        summary="The bytes of an image; what is no PNG, JPEG, GIF or WebP comes as a download.",
        answer="image/png, image/jpeg, image/gif, image/webp, application/octet-stream",
    ),
    Route(
        method="GET",
        path="/api/experiments/{id}/plots",
        handler=list_plots,
        summary="Plots that are no series (custom and scikit-learn ones), the newest state of each.",
        answer=PlotList,
    ),
    Route(
        method="GET",
        path="/api/experiments/{id}/plots/content",
        handler=get_plot,
        summary="One of them with its rows.",
        query=PlotQuery,
        answer=PlotContent,
    ),
    Route(
        method="GET",
        path="/api/experiments/{id}/log",
        handler=get_log,
        summary="What befell an experiment: started, resumed, fell silent, done.",
        query=LogQuery,
        answer=Log,
    ),
)
