"""The experiments of a Studio over HTTP: the table, one of them, deleting and undoing it.

A handler reads the query into values and hands the work to a reader's thread, which also encodes the answer: a page of
1,500 experiments is megabytes of JSON, and the event loop has other things to do. Changes go through the writer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from livestream.studio import query as language
from livestream.studio.http.context import Services, caller_of, services_of
from livestream.studio.http.listing import Moment, Search, one, page, seen
from livestream.studio.http.problems import ProblemError, encoded_response, json_response
from livestream.studio.http.routes import Route, id_of, query_of
from livestream.studio.http.shown import seconds_or_none
from livestream.studio.http.views import DeletedView, ExperimentPage, ExperimentView
from livestream.studio.http.writing import written
from livestream.studio.query import QueryError
from livestream.studio.status import StatusKind
from livestream.studio.store.base import Scope

MAX_PAGE: Final = 5_000
MAX_CONDITIONS: Final = 20
MAX_SORTS: Final = 5
MAX_NAMED: Final = 500

Id = Annotated[int, Meta(ge=1, lt=1 << 62)]
Text = Annotated[str, Meta(max_length=1_000)]
T = TypeVar("T")


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"ids": "id"}):
    """Which experiments, in which order, which page; what is given several times means any of them."""

    project: Annotated[Id | None, Meta(description="Only what this project shows.")] = None
    status: Annotated[
        tuple[StatusKind, ...], Meta(max_length=20, description="Only those with one of these statuses.")
    ] = ()
    live: Annotated[
        bool | None, Meta(description="Only those that are expected to speak again, or (false) only the others.")
    ] = None
    name: Annotated[
        tuple[Text, ...], Meta(max_length=MAX_NAMED, description="Only those with exactly one of these names.")
    ] = ()
    baseline: Annotated[
        tuple[Text, ...], Meta(max_length=MAX_NAMED, description="Only those started from one of these commits.")
    ] = ()
    ids: Annotated[tuple[Id, ...], Meta(max_length=MAX_NAMED, description="Only those with one of these ids.")] = ()
    q: Annotated[Text, Meta(description="Stands in the name, message, commit, repository or folder.")] = ""
    filter: Annotated[
        tuple[Text, ...],
        Meta(
            max_length=MAX_CONDITIONS,
            description="Conditions; all must hold. See the description of this API.",
            examples=[["metrics.train.loss<0.5", "status=completed"]],
        ),
    ] = ()
    sort: Annotated[
        tuple[Text, ...],
        Meta(
            max_length=MAX_SORTS,
            description='A key, with "-" for falling order; several: equals of the first by the second. Newest first.',
            examples=[["-metrics.acc", "name"]],
        ),
    ] = ()
    deleted: Annotated[bool, Meta(description="Only deleted ones, instead of only the others.")] = False
    limit: Annotated[int, Meta(ge=0, le=MAX_PAGE)] = 100
    offset: Annotated[int, Meta(ge=0, lt=1 << 62)] = 0


class Nothing(msgspec.Struct, frozen=True):
    """A query without parameters."""


# -- handlers


async def list_experiments(request: web.Request) -> web.Response:
    """Answer a page of experiments."""
    services = services_of(request)
    search = search_of(query_of(request, ListQuery), caller_of(request).project)
    moment = moment_of(services)
    return encoded_response(await services.readers.ask(lambda reader: page(reader, search, moment)))


async def get_experiment(request: web.Request) -> web.Response:
    """Answer one experiment."""
    services, allowed, experiment = services_of(request), caller_of(request).project, id_of(request)
    query_of(request, Nothing)
    moment = moment_of(services)
    return encoded_response(await services.readers.ask(lambda reader: one(reader, experiment, allowed, moment)))


async def delete_experiment(request: web.Request) -> web.Response:
    """Put up a tombstone."""
    return await _set_deleted(request, deleted=True)


async def restore_experiment(request: web.Request) -> web.Response:
    """Take it away again."""
    return await _set_deleted(request, deleted=False)


async def _set_deleted(request: web.Request, *, deleted: bool) -> web.Response:
    services, allowed, experiment = services_of(request), caller_of(request).project, id_of(request)
    query_of(request, Nothing)
    await services.readers.ask(lambda reader: seen(reader, experiment, allowed))
    now_us = services.clock_us()

    await written(services, lambda writer: writer.set_deleted([experiment], deleted=deleted, time_us=now_us))
    row = await services.readers.ask(lambda reader: seen(reader, experiment, allowed))
    return json_response(DeletedView(id=experiment, deleted=seconds_or_none(row.deleted_us)))


# -- inside


def moment_of(services: Services) -> Moment:
    """Look at experiments now; a commit that many share is looked up once."""
    return Moment(services.clock_us(), services.settings.bounds, services.ingest.applying, cache(services.tree.commit))


def search_of(query: ListQuery, allowed: int | None) -> Search:
    """Read a query's texts.

    Raises:
        ProblemError: 400 with the parameter and its place among several.
    """
    return Search(
        scope=Scope(
            deleted=query.deleted,
            baseline_shas=tuple(sha.lower() for sha in query.baseline),
            names=query.name,
            ids=query.ids,
        ),
        project=query.project,
        allowed=allowed,
        statuses=frozenset(query.status),
        live=query.live,
        text=query.q.strip(),
        conditions=_each("filter", query.filter, language.parse_condition),
        sorts=_each("sort", query.sort, language.parse_sort),
        limit=query.limit,
        offset=query.offset,
    )


def _each(name: str, texts: tuple[str, ...], parse: Callable[[str], T]) -> tuple[T, ...]:
    result = []
    for at, text in enumerate(texts):
        try:
            result.append(parse(text))
        except QueryError as error:
            raise ProblemError(400, f"query.{name}[{at}]: {error}") from None
    return tuple(result)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/experiments",
        handler=list_experiments,
        summary="List experiments: filtered, sorted, one page of them.",
        query=ListQuery,
        answer=ExperimentPage,
        problems={404: "There is no such project."},
    ),
    Route(
        method="GET",
        path="/api/experiments/{id}",
        handler=get_experiment,
        summary="One experiment; deleted ones too.",
        answer=ExperimentView,
    ),
    Route(
        method="DELETE",
        path="/api/experiments/{id}",
        handler=delete_experiment,
        summary="Delete an experiment: it is hidden, loses nothing and still takes data; restoring undoes it.",
        scope="admin",
        answer=DeletedView,
    ),
    Route(
        method="POST",
        path="/api/experiments/{id}/restore",
        handler=restore_experiment,
        summary="Undo a deletion.",
        scope="admin",
        answer=DeletedView,
    ),
)
