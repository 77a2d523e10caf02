"""What several experiments have, in one answer each: charts by name, names of series, images and plots.

A page draws a dozen charts of twenty runs, and a line in each of a hundred rows; asked one by one that would be
hundreds of requests. Experiments that are not there, or not the caller's, are left out without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.studio.http.context import caller_of, services_of
from livestream.studio.http.experiments import Id, Text
from livestream.studio.http.listing import visible
from livestream.studio.http.problems import ProblemError, encoded_response
from livestream.studio.http.routes import Route, query_of
from livestream.studio.http.series import MAX_POINTS, Step, check_steps
from livestream.studio.http.shown import file_view, named_chart_view, shared_series_view
from livestream.studio.http.views import ChartList, FileList, SharedSeriesList
from livestream.studio.store.base import Reader

MAX_CHARTS: Final = 500
MAX_CHART_POINTS: Final = 500_000
"""Of all charts of an answer, some 30 MB: where that is less than was asked for, each has its share."""
MAX_COMPARED: Final = 200
MAX_WITH_FILES: Final = 500

T = TypeVar("T")


class ChartsQuery(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"experiments": "experiment", "names": "name", "first": "from", "last": "to"},
):
    """Which series of which experiments, which part of them, and how fine."""

    experiments: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_CHARTS, description="Of these.")]
    names: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=MAX_CHARTS, description="Called one of these.")]
    points: Annotated[int, Meta(ge=1, le=MAX_POINTS, description="Draw each in at most so many; 500,000 in all.")] = 500
    first: Annotated[Step | None, Meta(description="First step.")] = None
    last: Annotated[Step | None, Meta(description="Last step, included.")] = None


class SharedSeriesQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"experiments": "experiment"}):
    """Series of which experiments."""

    experiments: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_COMPARED)]


class FilesQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"experiments": "experiment"}):
    """Files of which experiments."""

    experiments: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_WITH_FILES)]


async def list_charts(request: web.Request) -> web.Response:
    """Answer charts of several experiments by name."""
    query = query_of(request, ChartsQuery)
    names = tuple(dict.fromkeys(query.names))
    charts = len(set(query.experiments)) * len(names)
    check_steps(query.first, query.last)
    if charts > MAX_CHARTS:
        raise ProblemError(400, f"query.name: experiments times names are {charts} charts; accepted: {MAX_CHARTS}")
    points = min(query.points, MAX_CHART_POINTS // charts)

    def make(reader: Reader, experiments: Sequence[int]) -> ChartList:
        found = reader.charts(experiments, names, points=points, first_step=query.first, last_step=query.last)
        return ChartList(charts=[named_chart_view(one) for one in found])

    return await _answer(request, query.experiments, make)


async def list_shared_series(request: web.Request) -> web.Response:
    """Answer the names of all series of several experiments."""
    query = query_of(request, SharedSeriesQuery)

    def make(reader: Reader, experiments: Sequence[int]) -> SharedSeriesList:
        return SharedSeriesList(series=[shared_series_view(one) for one in reader.shared_names(experiments)])

    return await _answer(request, query.experiments, make)


async def list_files(request: web.Request) -> web.Response:
    """Answer which images and plots several experiments have."""
    query = query_of(request, FilesQuery)

    def make(reader: Reader, experiments: Sequence[int]) -> FileList:
        return FileList(files=[file_view(one) for one in reader.plot_files(experiments)])

    return await _answer(request, query.experiments, make)


async def _answer(
    request: web.Request, asked: Sequence[int], make: Callable[[Reader, Sequence[int]], T]
) -> web.Response:
    """Answer with what is made, and encoded, in a reader's thread, of those experiments that the caller may see."""
    allowed = caller_of(request).project

    def ask(reader: Reader) -> bytes:
        return msgspec.json.encode(make(reader, visible(reader, asked, allowed)))

    return encoded_response(await services_of(request).readers.ask(ask))


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/charts",
        handler=list_charts,
        summary="Series of several experiments by name, each as a chart draws it.",
        query=ChartsQuery,
        answer=ChartList,
    ),
    Route(
        method="GET",
        path="/api/series",
        handler=list_shared_series,
        summary="The names of all series of several experiments.",
        query=SharedSeriesQuery,
        answer=SharedSeriesList,
    ),
    Route(
        method="GET",
        path="/api/files",
        handler=list_files,
        summary="Which images, and plots kept whole, several experiments have.",
        query=FilesQuery,
        answer=FileList,
    ),
)
